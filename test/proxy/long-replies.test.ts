import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

const LONG = `$1000000\r\n${'x'.repeat(1_000_000)}\r\n`;

interface Scene {
  readonly port: number;
  readonly asked: readonly string[];
  /** Over which connection a command came last. */
  readonly socketOf: ReadonlyMap<string, Socket>;
}

/** A Redis with one long value; `held`: the command that it does not answer by itself. */
async function setUp(t: TestContext, held?: string): Promise<Scene> {
  const socketOf = new Map<string, Socket>();
  const redis = await serverThat(t, (words, socket) => {
    socketOf.set(words, socket);
    if (words === held) return undefined;
    return words === 'GET long' ? LONG : '+OK\r\n';
  });
  const { port } = await proxyFor(t, planTo(redis.port));
  return { port, asked: redis.asked, socketOf };
}

test('of a client that asks for much at once few commands are before those of others', async (t) => {
  const { port, asked } = await setUp(t);
  const { socket } = clientOf(t, port);
  socket.pause().write('GET long\r\n'.repeat(200));
  await eventually('its first command', () => asked.includes('GET long') || undefined);
  const other = clientOf(t, port);
  other.socket.write('GET short\r\n');
  await eventually('the reply of another', () => other.got() === '+OK\r\n' || undefined);
  // Nothing is to be drained.
  socket.destroy();
  const before = asked.slice(0, asked.indexOf('GET short')).filter((words) => words === 'GET long');
  assert.ok(before.length <= 8, `${before.length} were before it`);
});

test('of a client that takes no replies no more is asked once some wait, however slowly it asks', async (t) => {
  const reply = `$200000\r\n${'x'.repeat(200_000)}\r\n`;
  const redis = await serverThat(t, (words) => (words === 'GET a' ? reply : '+OK\r\n'));
  const { port } = await proxyFor(t, planTo(redis.port));
  const [{ socket }, other] = [clientOf(t, port), clientOf(t, port)];
  socket.pause();
  for (let count = 1; count <= 80; count++) {
    socket.write('GET a\r\n');
    other.socket.write('GET short\r\n');
    await eventually('the reply of another', () => other.got().length === 5 * count || undefined);
  }
  socket.destroy();
  // What the kernel takes is some MiB.
  const asked = redis.asked.filter((words) => words === 'GET a').length;
  assert.ok(asked < 60, `${asked} were asked`);
});

test('long replies come over connections on which nobody waits for short ones', async (t) => {
  const { port, socketOf } = await setUp(t);
  const [client, other] = [clientOf(t, port), clientOf(t, port)];
  client.socket.write('GET long\r\n');
  await eventually('its reply', () => client.got().length === LONG.length || undefined);
  client.socket.write('GET next\r\n');
  other.socket.write('GET short\r\n');
  await eventually('both', () => (socketOf.has('GET next') && socketOf.has('GET short')) || undefined);
  assert.notEqual(socketOf.get('GET next'), socketOf.get('GET short'));
});

test('whose replies are short again shares connections with the others again', async (t) => {
  const { port, socketOf } = await setUp(t);
  const [client, other] = [clientOf(t, port), clientOf(t, port)];
  client.socket.write('GET long\r\n');
  other.socket.write('GET short\r\n');
  await eventually('the reply', () => client.got().length === LONG.length || undefined);
  await eventually('its being like the others', async () => {
    const { length } = client.got();
    client.socket.write('GET next\r\n');
    await eventually('a reply', () => client.got().length > length || undefined);
    return socketOf.get('GET next') === socketOf.get('GET short') || undefined;
  });
});

test('so does who waits in between', async (t) => {
  const { port, socketOf } = await setUp(t);
  const [client, other] = [clientOf(t, port), clientOf(t, port)];
  client.socket.write('GET long\r\n');
  other.socket.write('GET short\r\n');
  await eventually('the reply', () => client.got().length === LONG.length || undefined);
  client.socket.write('GET next\r\n');
  await eventually('a reply', () => client.got().length > LONG.length || undefined);
  await eventually('its being like the others', async () => {
    const { length } = client.got();
    client.socket.write('GET next\r\nBLPOP list 0\r\n');
    await eventually('two replies', () => client.got().length === length + 10 || undefined);
    return socketOf.get('GET next') === socketOf.get('GET short') || undefined;
  });
});

test('what goes over another connection because replies are long does not overtake', async (t) => {
  const { port, asked, socketOf } = await setUp(t, 'SET a 1');
  const [client, other] = [clientOf(t, port), clientOf(t, port)];
  client.socket.write('GET long\r\nSET a 1\r\n');
  await eventually('the long reply', () => client.got().length === LONG.length || undefined);
  client.socket.write('SET a 2\r\n');
  for (let round = 1; round <= 5; round++) {
    other.socket.write('PING\r\n');
    await eventually('another client', () => other.got() === '+PONG\r\n'.repeat(round) || undefined);
  }
  assert.ok(!asked.includes('SET a 2'));
  socketOf.get('SET a 1')?.write('+OK\r\n');
  await eventually('the other command', () => asked.includes('SET a 2') || undefined);
  assert.notEqual(socketOf.get('SET a 1'), socketOf.get('SET a 2'));
});

test('a reply takes not much more memory than it is long, whatever its length', async (t) => {
  const length = 20_000_000;
  const long = `$${length}\r\n${'x'.repeat(length)}\r\n`;
  const redis = await serverThat(t, (words) => (words === 'GET k' ? long : '+OK\r\n'));
  const { port } = await proxyFor(t, planTo(redis.port));
  const { socket } = clientOf(t, port);
  let got = 0;
  socket.removeAllListeners('data').on('data', (chunk: Buffer) => (got += chunk.length));
  const allocate = t.mock.method(Buffer, 'allocUnsafeSlow');
  socket.write('GET k\r\n');
  await eventually('all of it', () => got > length || undefined);
  const taken = allocate.mock.calls.reduce((sum, call) => sum + call.arguments[0], 0);
  assert.ok(taken < 1.25 * length, `${taken} bytes for ${length}`);
});
