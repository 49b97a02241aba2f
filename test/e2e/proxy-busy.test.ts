/** Many clients with full pipelines at once: blocks change hands within turns, replies arrive while commands are taken in. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';

import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { needRedis } from './environment.ts';
import { clusterPlan, portsOf, startProxy } from './proxy-setting.ts';

const CLIENTS = 40;
const BATCHES = 60;
const PIPELINE = 16;
const KEYS = 10;

/** Sends batch after batch of one command; resolves to everything that came back. */
function talk(port: number, batch: (round: number) => string, answerBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    let seen = '';
    let sent = 0;
    const next = (): void => {
      sent += 1;
      socket.write(batch(sent));
    };
    socket.on('error', reject);
    socket.on('close', () => resolve(seen));
    socket.on('data', (chunk: Buffer) => {
      seen += chunk.toString('latin1');
      if (seen.length < sent * answerBytes) return;
      if (sent < BATCHES) next();
      else socket.destroy();
    });
    next();
  });
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

test('full pipelines of many clients are answered, each in order', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, replicas: 0 });
  t.after(() => cluster.stop());
  const [port = 0] = portsOf(await startProxy(t, clusterPlan(cluster, 'MASTER')));
  const keysOf = (client: number, at: number): string[] =>
    Array.from({ length: KEYS }, (_, key) => `c${client}:${(at * KEYS + key) % 200}`);

  await t.test('MSET of ten', async () => {
    const replies = await Promise.all(
      Array.from({ length: CLIENTS }, (_, client) => {
        const command = (at: number): string =>
          encode(['MSET', ...keysOf(client, at).flatMap((key) => [key, `of ${key}`])]);
        const batch = (round: number): string =>
          Array.from({ length: PIPELINE }, (_, index) => command(round * PIPELINE + index)).join('');
        return talk(port, batch, 5 * PIPELINE);
      }),
    );
    for (const reply of replies) assert.equal(reply, '+OK\r\n'.repeat(BATCHES * PIPELINE));
  });

  await t.test('MGET of ten: each client its own values', async () => {
    const expected = (client: number, at: number): string =>
      encode(keysOf(client, at).map((key) => `of ${key}`));
    const replies = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, client) => {
        const batch = (round: number): string =>
          Array.from({ length: PIPELINE }, () => encode(['MGET', ...keysOf(client, round)])).join('');
        const answers = Array.from({ length: BATCHES }, (_, round) =>
          expected(client, round + 1).repeat(PIPELINE),
        );
        // The shortest answer of all: whoever waits for it sends a little early, which is what a pipeline does.
        const shortest = Math.min(...answers.map(({ length }) => length));
        const seen = await talk(port, batch, shortest);
        return answers.join('').startsWith(seen) && seen.length >= shortest * BATCHES;
      }),
    );
    assert.deepEqual([...new Set(replies)], [true]);
  });
});
