import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';

import { pino } from 'pino';

import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { needRedis } from './environment.ts';
import { client, clusterPlan, portsOf, startProxy } from './proxy-setting.ts';

const SLOW_MS = 60;

interface Line {
  readonly msg: string;
  readonly command: string;
  readonly keys?: string;
  readonly client: string;
  readonly node: string;
  readonly tookMs: number;
  readonly untold?: number;
}

async function setUp(t: TestContext, logSlowerThanMs = SLOW_MS) {
  const redis = await needRedis(t);
  if (redis === undefined) return undefined;
  const cluster = await RedisCluster.start({ redis, replicas: 0 });
  t.after(() => cluster.stop());
  const text: string[] = [];
  const log = pino({ level: 'info' }, { write: (line) => void text.push(line) });
  const plan = clusterPlan(cluster, 'MASTER');
  const proxy = await startProxy(t, plan, { log, logSlowerThanMs, hedgeAfterMs: 5_000 });
  const through = client(t, portsOf(proxy)[0] ?? 0);
  await through.ping();
  const lines = (): readonly Line[] =>
    text.map((line) => JSON.parse(line) as Line).filter(({ msg }) => msg === 'slow command');
  /** Commands that the proxy has sent, or holds since it knows that nobody answers. */
  const taken = (): number => {
    const [status] = proxy.status();
    const sent = status?.nodes.reduce((sum, { reads, writes }) => sum + reads + writes, 0) ?? 0;
    return sent + (status?.events['held'] ?? 0);
  };
  /** No node answers anybody until the command has waited so long. */
  const slowly = async <T>(ms: number, command: () => Promise<T>, parts = 1): Promise<T> => {
    const enough = taken() + parts;
    for (const { process } of cluster.nodes) process.signal('SIGSTOP');
    const answer = command();
    await eventually('the command', () => taken() >= enough || undefined);
    await sleep(ms);
    for (const { process } of cluster.nodes) process.signal('SIGCONT');
    return await answer;
  };
  return { cluster, through, lines, text, slowly, proxy };
}

test('a command whose client waited long is logged, without its key and its value', async (t) => {
  const setting = await setUp(t);
  if (setting === undefined) return;
  const { cluster, through, lines, text, slowly } = setting;
  await slowly(100, () => through.set('session:secret-a', 'secret-b'));
  const line = lines().find(({ command }) => command === 'set');
  assert.ok(line);
  assert.deepEqual([line.command, line.keys], ['set', 'session:*']);
  assert.match(line.client, /^127\.0\.0\.1:\d+$/);
  assert.ok(
    cluster.nodes.some(({ port }) => line.node === `127.0.0.1:${port}`),
    line.node,
  );
  assert.ok(line.tookMs >= SLOW_MS && line.tookMs < 60_000, `${line.tookMs} ms`);

  await t.test('a key without a colon stays untold, parts of a split command have their client', async () => {
    await slowly(100, () => through.mget('secret-c', 'secret-d', 'secret-e'));
    const parts = lines().filter(({ command }) => command === 'mget');
    assert.ok(parts.length > 0);
    assert.ok(parts.every(({ client: from, keys }) => from === line.client && keys === undefined));
  });
  await t.test('blocking commands are not slow', async () => {
    await through.blpop('secret-list', 0.2);
    assert.deepEqual(
      lines().filter(({ command }) => command === 'blpop'),
      [],
    );
  });
  assert.doesNotMatch(text.join(''), /secret/);
});

test('many slow commands cost ten lines a second, and are counted', async (t) => {
  const setting = await setUp(t);
  if (setting === undefined) return;
  const { through, lines, slowly, proxy } = setting;
  // A client begins with few commands under way; what it has sent beyond them nobody has looked at.
  for (let turn = 0; turn < 10; turn++) {
    await Promise.all(Array.from({ length: 300 }, (_, index) => through.set(`k:${index}`, 'v')));
  }
  const begin = performance.now();
  await slowly(
    100,
    () => Promise.all(Array.from({ length: 300 }, (_, index) => through.set(`k:${index}`, 'v'))),
    300,
  );
  assert.ok((proxy.slowCommands ?? 0) >= 300, `${proxy.slowCommands} slow commands`);
  const seconds = Math.ceil((performance.now() - begin) / 1_000) + 1;
  assert.ok(lines().length >= 10 && lines().length <= 10 * seconds + 10, `${lines().length} lines`);
  await sleep(1_100);
  await slowly(100, () => through.get('k:1'));
  // The last of them brings what was not told before.
  assert.equal(
    lines().reduce((sum, { untold = 0 }) => sum + 1 + untold, 0),
    proxy.slowCommands,
  );
});

test('commands that are quicker than that are not logged', async (t) => {
  const setting = await setUp(t, 600_000);
  if (setting === undefined) return;
  const { through, lines, slowly, proxy } = setting;
  await slowly(50, () => through.set('k', 'v'));
  assert.deepEqual(lines(), []);
  assert.equal(proxy.slowCommands, 0);
});
