/**
 * Streams in numbers: a storm of reconnects, clients that come and go, and changes over a long time.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { eventually } from '../../src/demo/eventually.ts';
import { createXdsServer } from '../../src/xds/server.ts';
import { TestClient, type TestStream } from './client.ts';
import { comeAndGo, type Parting } from './raw-client.ts';
import { HandSource, NODE } from './surroundings.ts';

const ADDRESS = { host: '127.0.0.1', port: 0 };
const silent = (): void => {};
const log = { debug: silent, info: silent, warn: silent, error: silent };

/** More than what the heap varies by from one look to the next. */
const VARIES_BYTES = 3_000_000;

test('200 streams that reconnect at once after a restart are all served within 3 s, none twice', async () => {
  const source = new HandSource({ CDS: 'a@1', LDS: 'l@1' });
  const first = await createXdsServer({ address: ADDRESS, source, log });
  const clients: TestClient[] = [];
  const connectAll = async (address: string): Promise<TestStream[]> => {
    const streams = Array.from({ length: 200 }, () => {
      const client = new TestClient(address);
      clients.push(client);
      return client.stream('delta');
    });
    for (const stream of streams) {
      stream.send('CDS', NODE);
      stream.send('LDS');
    }
    for (const stream of streams) for (const _ of ['CDS', 'LDS']) stream.ack(await stream.next());
    return streams;
  };
  await connectAll(first.address);
  const port = Number(first.address.split(':')[1]);
  await first.close();
  const second = await createXdsServer({ address: { host: '127.0.0.1', port }, source, log });
  // Processor time of server and clients together: on a machine of its own no less than the time by the clock.
  const before = process.cpuUsage();
  const streams = await connectAll(second.address);
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 3_000_000, `${(user + system) / 1_000} ms`);
  source.set({ CDS: 'a@1', LDS: 'l@2' });
  for (const stream of streams) {
    const { resources } = await stream.next();
    assert.deepEqual(resources, ['l=LDS l@2'], 'the change is the next message: nothing came twice');
  }
  for (const client of clients) client.close();
  await second.close();
});

test('10,000 clients that come and go, in every manner, leave nothing', { timeout: 600_000 }, async (t) => {
  const server = await startServer(t);
  const partings: readonly Parting[] = ['end', 'reset', 'destroy'];
  const comeAndGoAll = async (count: number): Promise<number> => {
    for (let done = 0; done < count; done += 50) {
      const batch = Array.from({ length: 50 }, (_, index) =>
        comeAndGo(server.address, partings[index % partings.length] ?? 'end'),
      );
      await Promise.all(batch);
    }
    await eventually('no stream is left', async () =>
      (await server.look()).streams === 0 ? true : undefined,
    );
    return (await server.look()).heapBytes;
  };
  // What is made once is made by then.
  const before = await comeAndGoAll(1_000);
  const after = await comeAndGoAll(10_000);
  assert.ok(after - before < VARIES_BYTES, `${before} -> ${after} bytes`);
});

test('changes by the thousand to streams that read them leave nothing', { timeout: 600_000 }, async (t) => {
  const server = await startServer(t);
  const client = new TestClient(server.address);
  t.after(() => client.close());
  const streams = Array.from({ length: 50 }, (_, index) =>
    client.stream(index % 2 === 0 ? 'delta' : 'state of the world'),
  );
  for (const stream of streams) {
    stream.send('LDS', NODE);
    stream.ack(await stream.next());
  }
  const change = async (times: number): Promise<number> => {
    for (let done = 0; done < times; done += 1) {
      await server.look('change');
      for (const stream of streams) stream.ack(await stream.next());
    }
    return (await server.look()).heapBytes;
  };
  const before = await change(200);
  const after = await change(1_000);
  assert.ok(after - before < VARIES_BYTES, `${before} -> ${after} bytes`);
});

interface LonelyServer {
  readonly address: string;
  look(command?: 'change'): Promise<{ readonly streams: number; readonly heapBytes: number }>;
}

/** Ended when the test ends. */
async function startServer(t: TestContext): Promise<LonelyServer> {
  const file = fileURLToPath(new URL('lonely-server.ts', import.meta.url));
  const child = spawn(process.execPath, ['--expose-gc', file], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => String((await lines.next()).value);
  const address = await line();
  return {
    address,
    look: async (command) => {
      child.stdin.write(`${command ?? 'look'}\n`);
      return JSON.parse(await line()) as { streams: number; heapBytes: number };
    },
  };
}
