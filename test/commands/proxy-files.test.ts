import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { pino } from 'pino';
import { Registry } from 'prom-client';

import { followFiles } from '../../src/commands/proxy-files.ts';
import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { Proxy } from '../../src/proxy/proxy.ts';
import { parseMetrics } from '../prometheus-text.ts';

const objects = (port: number, policy: string): string => `
apiVersion: redis.aeraki.io/v1alpha1
kind: RedisDestination
metadata: {name: redis, namespace: shop}
spec:
  host: 127.0.0.1
  trafficPolicy: {connectionPool: {redis: {mode: CLUSTER}}}
---
apiVersion: redis.aeraki.io/v1alpha1
kind: RedisService
metadata:
  name: redis
  namespace: shop
  annotations: {redpilot.dev/listen: '127.0.0.1:${port}'}
spec:
  host: [127.0.0.1]
  settings: {readPolicy: ${policy}}
  redis:
    - route: {host: 127.0.0.1, port: 1}
`;

interface Scene {
  readonly proxy: Proxy;
  readonly waitingFor: () => string | undefined;
  readonly metrics: Registry;
  readonly lines: readonly string[];
  readonly write: (text: string) => Promise<void>;
}

/** A proxy that carries out what is in a file. */
async function follow(t: TestContext, text: string): Promise<Scene> {
  const folder = await temporaryFolder('files');
  t.after(() => removeFolder(folder));
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line) => void lines.push(line) });
  const proxy = await Proxy.create({
    hedgeAfterMs: 200,
    failoverWaitMs: 1_000,
    maxClients: 10,
    drainMs: 100,
    log,
  });
  t.after(() => proxy.close());
  const write = (now: string): Promise<void> => writeFile(join(folder, 'objects.yaml'), now);
  await write(text);
  const metrics = new Registry();
  const followed = await followFiles(proxy, [folder], { namespace: 'shop', probe: false, log, metrics });
  t.after(() => followed.close());
  return { proxy, waitingFor: () => followed.waitingFor(), metrics, lines, write };
}

test('a listener whose address is taken is told once, by name and with the remedy, however often the objects change', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.after(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const { proxy, lines, write } = await follow(t, objects(port, 'MASTER'));
  const told = (what: string): number => lines.filter((line) => line.includes(what)).length;
  const remedy = `does not listen: 127.0.0.1:${port} is in use by another process; it is tried again every second; end what`;
  const seen = (): string => lines.join('');
  await eventually('the line', () => told(remedy) === 1 || undefined, { seen, deadlineMs: 20_000 });
  await write(objects(port, 'ANY'));
  await eventually('the change', () => proxy.listeners()[0]?.readPolicy === 'ANY' || undefined, {
    seen,
    deadlineMs: 20_000,
  });
  assert.equal(told('in use by another process'), 1);
  assert.equal(proxy.listeners()[0]?.problem, `127.0.0.1:${port} is in use by another process`);
});

test('what is wrong with the objects is counted, while their last good version is in force', async (t) => {
  const [port = 0] = await freePorts(1);
  const { proxy, metrics, write } = await follow(t, objects(port, 'ANY'));
  const errors = async (): Promise<number | undefined> =>
    parseMetrics(await metrics.metrics())
      .get('redpilot_diagnostics')
      ?.samples.find(({ labels }) => labels['severity'] === 'error')?.value;
  assert.equal(await errors(), 0);
  await write(objects(port, 'NEAREST'));
  await eventually('an error', async () => (await errors()) === 1 || undefined, { deadlineMs: 20_000 });
  assert.equal(proxy.listeners()[0]?.readPolicy, 'ANY');
});

test('a proxy for which nothing listens since its objects are wrong waits for them to be mended, and never again', async (t) => {
  const [port = 0] = await freePorts(1);
  const { proxy, waitingFor, lines, write } = await follow(t, objects(port, 'NEAREST'));
  assert.match(
    waitingFor() ?? '',
    /^nothing listens: \S+objects\.yaml:17:14: error InvalidValue: RedisService shop\/redis: spec\.settings\.readPolicy: /,
  );
  await write(`{`);
  await eventually('the mistake of now', () => waitingFor()?.includes('error SyntaxError') || undefined, {
    seen: () => String(waitingFor()),
  });
  await write(objects(port, 'ANY'));
  await eventually('readiness', () => waitingFor() === undefined || undefined, {
    seen: () => String(waitingFor()),
  });
  await write('');
  await eventually('no listener', () => proxy.listeners().length === 0 || undefined);
  await write(`{`);
  const told = (): number => lines.filter((line) => line.includes('"reason":"SyntaxError"')).length;
  await eventually('an error', () => told() === 2 || undefined, { seen: () => lines.join('') });
  assert.equal(waitingFor(), undefined);
});

test('a proxy without objects does not wait for any', async (t) => {
  const { waitingFor } = await follow(t, '');
  assert.equal(waitingFor(), undefined);
});
