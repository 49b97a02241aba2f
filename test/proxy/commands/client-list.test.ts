import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { array, clientOf, planTo, proxyFor, serverThat, type Client } from '../servers.ts';

interface Scene {
  readonly worker: Client;
  readonly subscriber: Client;
  /** What another client is told, as text or as an error. */
  readonly ask: (words: string) => Promise<string>;
}

async function setUp(t: TestContext): Promise<Scene> {
  const redis = await serverThat(t, (words) =>
    words === 'PING' ? '+PONG\r\n' : array('subscribe', 'news', ':1'),
  );
  const { port } = await proxyFor(t, planTo(redis.port));
  const [asking, worker, subscriber] = [clientOf(t, port), clientOf(t, port), clientOf(t, port)];
  const ask = async (words: string): Promise<string> => {
    const before = asking.got().length;
    asking.socket.write(`${words}\r\n`);
    const reply = (): string => asking.got().slice(before);
    // A line of a client ends with LF alone.
    return await eventually(words, () =>
      /^[-$+].*\r\n(?:[^\r]*\r\n)?$/.test(reply()) ? reply() : undefined,
    );
  };
  await ask('CLIENT SETNAME asking');
  worker.socket.write('CLIENT SETNAME bull:d29yaw==:w:1\r\n');
  subscriber.socket.write('CLIENT SETNAME subscriber\r\nSUBSCRIBE news\r\n');
  await eventually('all of them', () => (worker.got() && subscriber.got().includes('news')) || undefined);
  return { worker, subscriber, ask };
}

const namesIn = (reply: string): readonly string[] =>
  Array.from(reply.matchAll(/ name=(\S*) /g), ([, name = '']) => name).sort();

test('CLIENT LIST lists all clients of the listener, until they go', async (t) => {
  const { worker, subscriber, ask } = await setUp(t);
  const all = await ask('CLIENT LIST');
  assert.deepEqual(namesIn(all), ['asking', 'bull:d29yaw==:w:1', 'subscriber']);
  assert.match(all, new RegExp(`addr=127\\.0\\.0\\.1:${worker.socket.localPort} .* name=bull:`));
  assert.deepEqual(namesIn(await ask('CLIENT INFO')), ['asking']);
  worker.socket.destroy();
  subscriber.socket.destroy();
  await eventually('their end', async () => namesIn(await ask('CLIENT LIST')).length === 1 || undefined);
});

test('CLIENT LIST lists some, by type or by number', async (t) => {
  const { ask } = await setUp(t);
  assert.deepEqual(namesIn(await ask('CLIENT LIST TYPE PubSub')), ['subscriber']);
  assert.deepEqual(namesIn(await ask('CLIENT LIST TYPE normal')), ['asking', 'bull:d29yaw==:w:1']);
  assert.equal(await ask('CLIENT LIST TYPE replica'), '$0\r\n\r\n');
  const [id = ''] = /(?<=id=)\d+(?=[^\n]*name=subscriber)/.exec(await ask('CLIENT LIST')) ?? [];
  assert.deepEqual(namesIn(await ask(`CLIENT LIST ID ${id} 4711`)), ['subscriber']);
});

for (const [words, reply] of [
  ['TYPE x', "-ERR Unknown client type 'x'\r\n"],
  ['TYPE', '-ERR syntax error\r\n'],
  ['TYPE normal x', '-ERR syntax error\r\n'],
  ['ID', '-ERR syntax error\r\n'],
  ['ID 01', '-ERR Invalid client ID\r\n'],
  ['ID -1', '$0\r\n\r\n'],
  ['x', '-ERR syntax error\r\n'],
] as const) {
  test(`CLIENT LIST ${words} is answered as by Redis`, async (t) => {
    const { ask } = await setUp(t);
    assert.equal(await ask(`CLIENT LIST ${words}`), reply);
  });
}
