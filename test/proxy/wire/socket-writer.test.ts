import assert from 'node:assert/strict';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';

import { eventually } from '../../../src/demo/eventually.ts';
import { ListenerTls } from '../../../src/proxy/listener-tls.ts';
import { SocketWriter, learnToWrite } from '../../../src/proxy/wire/socket-writer.ts';
import { createAuthority, validFor } from '../../../src/tls/authority.ts';

test('this Node lets writes go past the stream', async () => {
  assert.equal(await learnToWrite(), true);
});

test('what the kernel does not take at once arrives whole, and is told', async (t) => {
  await learnToWrite();
  const [near, far] = await pair(t);
  let drained = 0;
  const writer = new SocketWriter(near, () => (drained += 1));
  const piece = Buffer.alloc(65_536, 'abcdefg');
  let pieces = 1;
  for (; writer.write(piece); pieces++);
  assert.ok(writer.waiting > 0);
  assert.equal(writer.write(Buffer.from('end')), false);
  const received: Buffer[] = [];
  far.on('data', (chunk: Buffer) => received.push(chunk));
  await eventually('all of it', () => (drained > 0 ? true : undefined));
  assert.equal(writer.waiting, 0);
  near.end();
  await new Promise((resolve) => far.once('end', resolve));
  const whole = Buffer.concat(received);
  assert.equal(whole.length, pieces * piece.length + 3);
  assert.equal(whole.toString('latin1', whole.length - 3), 'end');
  assert.ok(whole.subarray(0, piece.length).equals(piece));
});

test('what waits is written before the connection ends', async (t) => {
  await learnToWrite();
  const [near, far] = await pair(t);
  const writer = new SocketWriter(near, () => {});
  const piece = Buffer.alloc(65_536);
  let pieces = 1;
  for (; writer.write(piece); pieces++);
  near.end();
  let received = 0;
  far.on('data', (chunk: Buffer) => (received += chunk.length));
  await new Promise((resolve) => far.once('end', resolve));
  assert.equal(received, pieces * piece.length);
});

test('a write to a connection that is gone closes the socket with the reason', async (t) => {
  await learnToWrite();
  const [near, far] = await pair(t);
  const writer = new SocketWriter(near, () => {});
  let problem: NodeJS.ErrnoException | undefined;
  near.on('error', (error) => (problem = error));
  far.resetAndDestroy();
  await eventually('a failed write', () => {
    if (!near.destroyed) writer.write(Buffer.from('x'));
    return problem;
  });
  assert.match(problem?.code ?? '', /^(ECONNRESET|EPIPE)$/);
});

/** Two ends of one connection; the first does not read by itself, nor the second until it is told to. */
async function pair(t: TestContext): Promise<[Socket, Socket]> {
  const server = createServer({ pauseOnConnect: true });
  t.after(() => server.close());
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const far = connect(port, '127.0.0.1');
  const [near] = await Promise.all([
    new Promise<Socket>((resolve) => {
      server.once('connection', resolve);
    }),
    new Promise((resolve) => far.once('connect', resolve)),
  ]);
  for (const socket of [near, far]) {
    socket.on('error', () => {});
    t.after(() => socket.destroy());
  }
  return [near, far];
}

const LONG = Buffer.alloc(64 * 1_048_576);

for (const how of ['in the clear', 'under TLS']) {
  test(`how much of one long reply the other end has taken shows while the rest waits, ${how}`, async (t) => {
    await learnToWrite();
    const [near, far] = how === 'under TLS' ? await securePair(t) : await pair(t);
    const writer = new SocketWriter(near, () => {});
    writer.write(LONG);
    const half = LONG.length / 2;
    assert.ok(writer.taken < half, `${writer.taken}`);
    let read = 0;
    far.on('data', (chunk: Buffer) => {
      read += chunk.length;
      if (read >= half) far.pause();
    });
    await eventually('half of it', () => writer.taken >= half || undefined, {
      seen: () => `${writer.taken}`,
    });
    assert.ok(writer.waiting > 0);
    assert.ok(writer.taken < LONG.length);
  });
}

async function securePair(t: TestContext): Promise<[Socket, Socket]> {
  const authority = await createAuthority(validFor(1));
  const { certificate, key } = await authority.issueServer(['localhost'], validFor(1));
  const [below, farBelow] = await pair(t);
  const tls = new ListenerTls({ cert: Buffer.from(certificate), key: Buffer.from(key), ca: undefined });
  const far = connectTls({ socket: farBelow, servername: 'localhost', ca: authority.certificate });
  const near = await new Promise<Socket>((resolve) => {
    tls.open(resolve).take(below);
  });
  for (const socket of [near, far]) {
    socket.on('error', () => {});
    t.after(() => socket.destroy());
  }
  return [near, far];
}
