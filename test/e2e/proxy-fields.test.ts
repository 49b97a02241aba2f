import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { ProxyUpstream } from '../../src/plan/routing-plan.ts';
import { client, portsOf, startProxy } from './proxy-setting.ts';
import { catchAll, readsFrom, servers, startListener, startServers } from './proxy-servers.ts';
import { answerOf } from './sidecar.ts';
import { planTo } from '../proxy/servers.ts';

test('keys are spread over plain servers, split commands too', async (t) => {
  const nodes = await startServers(t, 3);
  if (nodes === undefined) return;
  const through = client(t, await startListener(t, [servers('a', nodes)], () => catchAll('a')));
  const keys = Array.from({ length: 300 }, (_, index) => `key:${index}`);
  await through.mset(...keys.flatMap((key) => [key, key]));
  assert.deepEqual(await through.mget(...keys), keys);
  const sizes = await Promise.all(nodes.map(({ client: node }) => node.dbsize()));
  assert.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    300,
  );
  assert.ok(Math.min(...sizes) > 50, `${sizes.join(', ')} keys`);
});

test('with hash tags, keys of one tag share a server', async (t) => {
  const nodes = await startServers(t, 2);
  if (nodes === undefined) return;
  const port = await startListener(t, [servers('a', nodes)], () => ({ ...catchAll('a'), hashTags: true }));
  const through = client(t, port);
  for (let index = 0; index < 20; index++) await through.set(`{tag}${index}`, 'x');
  const sizes = await Promise.all(nodes.map(({ client: node }) => node.dbsize()));
  assert.deepEqual(
    sizes.toSorted((a, b) => a - b),
    [0, 20],
  );
});

test('a mirror gets what it is to get, and its replies are nobody’s', async (t) => {
  const nodes = await startServers(t, 2);
  const [own, other] = nodes ?? [];
  if (own === undefined || other === undefined) return;
  const mirrors = [{ upstream: 'b', percentage: 100, excludeReads: true }];
  const port = await startListener(t, [servers('a', [own]), servers('b', [other])], () =>
    catchAll('a', { mirrors }),
  );
  const through = client(t, port);
  await through.set('k', 'v');
  await through.mset('x', '1', 'y', '2');
  await through.call('LPUSH', 'k', 'wrong type').catch(() => {});
  assert.equal(await through.get('k'), 'v');
  await eventually('the mirror having the writes', async () =>
    (await other.client.dbsize()) === 3 ? true : undefined,
  );
  const stats = await other.client.info('commandstats');
  assert.doesNotMatch(stats, /cmdstat_get:/);
});

test('a transaction is mirrored once it has been carried out, and not otherwise', async (t) => {
  const nodes = await startServers(t, 2);
  const [own, other] = nodes ?? [];
  if (own === undefined || other === undefined) return;
  const mirrors = [{ upstream: 'b', percentage: 100, excludeReads: true }];
  const port = await startListener(t, [servers('a', [own]), servers('b', [other])], () =>
    catchAll('a', { mirrors }),
  );
  const [through, rival] = [client(t, port), client(t, port)];
  await through.multi().set('done', '1').get('done').rpush('list', 'a', 'b').blpop('list', 0).exec();
  const inTurn = async (...commands: [name: string, ...args: string[]][]): Promise<unknown> =>
    (await Promise.all(commands.map(async (words) => await answerOf(through.call(...words))))).at(-1);
  assert.equal(await inTurn(['MULTI'], ['SET', 'discarded', '1'], ['DISCARD']), 'OK');
  await through.watch('watched');
  await rival.set('watched', 'by another');
  assert.equal(await through.multi().set('aborted', '1').exec(), null);
  assert.match(String(await inTurn(['MULTI'], ['GET'], ['SET', 'refused', '1'], ['EXEC'])), /^EXECABORT/);
  await through.set('last', '1');
  await eventually('the mirror having the last command', async () =>
    (await other.client.exists('last')) === 1 ? true : undefined,
  );
  assert.deepEqual((await other.client.keys('*')).toSorted(), ['done', 'last', 'list', 'watched']);
  assert.deepEqual(await other.client.lrange('list', 0, -1), ['b']);
  assert.doesNotMatch(await other.client.info('commandstats'), /cmdstat_(?:get|blpop|multi):/);
});

test('a mirror of a queue that workers wait at has what the queue has', async (t) => {
  const nodes = await startServers(t, 2);
  if (nodes === undefined) return;
  const [own, other] = nodes;
  assert.ok(own !== undefined && other !== undefined);
  const mirrors = [{ upstream: 'b', percentage: 100, excludeReads: false }];
  const port = await startListener(t, [servers('a', [own]), servers('b', [other])], () =>
    catchAll('a', { mirrors }),
  );
  const [producer, worker] = [client(t, port), client(t, port)];
  await producer.xgroup('CREATE', 'stream', 'group', '$', 'MKSTREAM');
  const waiting = worker.brpop('none', 'list', 0);
  await eventually('somebody waiting', async () =>
    /blocked_clients:1\b/.test(await own.client.info('clients')) ? true : undefined,
  );
  await producer.lpush('list', '1', '2', '3');
  assert.deepEqual(await waiting, ['list', '1']);
  assert.equal(await worker.blmove('list', 'taken', 'RIGHT', 'LEFT', 0), '2');
  await producer.zadd('sorted', 1, 'a', 2, 'b');
  assert.deepEqual(await worker.bzpopmin('sorted', 0), ['sorted', 'a', '1']);
  await producer.xadd('stream', '1-1', 'field', 'value');
  await worker.call('XREADGROUP', 'GROUP', 'group', 'me', 'BLOCK', '0', 'STREAMS', 'stream', '>');
  await worker.set('last', '1');
  await eventually('the mirror having the last command', async () =>
    (await other.client.exists('last')) === 1 ? true : undefined,
  );
  const contents = async ({ client: server }: (typeof nodes)[number]): Promise<unknown> => [
    await server.lrange('list', 0, -1),
    await server.lrange('taken', 0, -1),
    await server.zrange('sorted', '0', '-1'),
    await server.xpending('stream', 'group'),
  ];
  assert.deepEqual(await contents(other), await contents(own));
});

test('half of the commands are mirrored where half are to be', async (t) => {
  const nodes = await startServers(t, 2);
  const [own, other] = nodes ?? [];
  if (own === undefined || other === undefined) return;
  const mirrors = [{ upstream: 'b', percentage: 50, excludeReads: false }];
  const port = await startListener(t, [servers('a', [own]), servers('b', [other])], () =>
    catchAll('a', { mirrors }),
  );
  const through = client(t, port);
  const batch = through.pipeline();
  for (let index = 0; index < 2_000; index++) batch.set(`k${index}`, 'v');
  await batch.exec();
  assert.equal(await own.client.dbsize(), 2_000);
  const mirrored = await eventually('the mirror having its share', async () => {
    const size = await other.client.dbsize();
    return size > 850 ? size : undefined;
  });
  assert.ok(mirrored < 1_150, `${mirrored} of 2,000`);
});

test('a mirror that is not there disturbs nobody', async (t) => {
  const nodes = await startServers(t, 1);
  if (nodes === undefined) return;
  const gone: ProxyUpstream = {
    ...servers('b', []),
    servers: { kind: 'endpoints', endpoints: [{ address: '127.0.0.1', port: 1, hashKey: 'x' }] },
  };
  const mirrors = [{ upstream: 'b', percentage: 100, excludeReads: false }];
  const through = client(
    t,
    await startListener(t, [servers('a', nodes), gone], () => catchAll('a', { mirrors })),
  );
  for (let index = 0; index < 200; index++) assert.equal(await through.set(`k${index}`, 'v'), 'OK');
});

test('reads go to the servers for reads, to the next group when the first has nobody', async (t) => {
  const nodes = await startServers(t, 3);
  const [primary, replica, spare] = nodes ?? [];
  if (primary === undefined || replica === undefined || spare === undefined) return;
  await replica.client.set('k', 'of the replica');
  await spare.client.set('k', 'of the spare');
  const port = await startListener(t, [servers('a', [primary]), readsFrom('r', [replica], [spare])], () =>
    catchAll('a', { reads: 'r' }),
  );
  const through = client(t, port);
  await through.set('k', 'of the primary');
  assert.equal(await through.get('k'), 'of the replica');
  assert.deepEqual(await through.mget('k', 'none'), ['of the replica', null]);
  assert.equal(await primary.client.get('k'), 'of the primary');
  await replica.process.stop();
  assert.equal(await through.get('k'), 'of the spare');
});

test('a server for reads that has lost its primary is read from last', async (t) => {
  const nodes = await startServers(t, 4);
  const [primary, other, replica, spare] = nodes ?? [];
  if (primary === undefined || other === undefined || replica === undefined || spare === undefined) return;
  for (const [node, of] of [
    [replica, other],
    [spare, primary],
  ] as const) {
    await node.client.call('REPLICAOF', '127.0.0.1', String(of.port));
    await eventually('replication', async () =>
      (await node.client.info('replication')).includes('master_link_status:up') ? true : undefined,
    );
  }
  await other.client.set('k', 'of the replica');
  await primary.client.set('k', 'of the primary');
  const upstreams = [servers('a', [primary]), readsFrom('r', [replica], [spare])];
  const through = client(t, await startListener(t, upstreams, () => catchAll('a', { reads: 'r' })));
  await eventually('the first group', async () =>
    (await through.get('k')) === 'of the replica' ? true : undefined,
  );
  await other.process.stop();
  await eventually('the next group, whose link is up', async () =>
    (await through.get('k')) === 'of the primary' ? true : undefined,
  );
  await primary.process.stop();
  // Nobody's link is up: old data is better than none.
  await eventually('the first group again', async () =>
    (await through.get('k')) === 'of the replica' ? true : undefined,
  );
});

test('prefixes match without regard to case where that is asked for', async (t) => {
  const nodes = await startServers(t, 2);
  const [first, second] = nodes ?? [];
  if (first === undefined || second === undefined) return;
  const port = await startListener(t, [servers('a', [first]), servers('b', [second])], () => ({
    routes: {
      prefixes: [{ prefix: 'Ab:', upstream: 'b', removePrefix: true, reads: undefined, mirrors: [] }],
      catchAll: { upstream: 'a', reads: undefined, mirrors: [] },
      caseInsensitive: true,
    },
  }));
  const through = client(t, port);
  await through.mset('aB:Key', '1', 'a[:key', '2');
  assert.deepEqual(await second.client.keys('*'), ['Key']);
  assert.deepEqual(await first.client.keys('*'), ['a[:key']);
});

test('faults fail and delay what they name', async (t) => {
  const nodes = await startServers(t, 1);
  if (nodes === undefined) return;
  const port = await startListener(t, [servers('a', nodes)], () => ({
    ...catchAll('a'),
    faults: [
      { type: 'ERROR', percentage: 100, delayMs: undefined, commands: ['get'] },
      { type: 'DELAY', percentage: 100, delayMs: 150, commands: ['strlen'] },
      { type: 'ERROR', percentage: 100, delayMs: 150, commands: ['ttl'] },
    ],
  }));
  const through = client(t, port);
  await through.set('k', 'value');
  const timed = async (command: Promise<unknown>): Promise<[unknown, boolean]> => {
    const started = performance.now();
    return [await answerOf(command), performance.now() - started > 140];
  };
  const all = await Promise.all([
    answerOf(through.get('k')),
    timed(through.strlen('k')),
    timed(through.ttl('k')),
    through.exists('k'),
    timed(through.ping()),
  ]);
  assert.equal(all[0], 'Fault Injected: Error');
  assert.deepEqual(all[1], [5, true]);
  assert.deepEqual(all[2], ['Fault Injected: Error', true]);
  // Ten times, since a busy machine delays some.
  const errors: boolean[] = [];
  for (let count = 0; count < 10; count++) errors.push((await timed(through.get('k')))[1]);
  assert.ok(errors.includes(false), 'an error without a delay is at once');
});

test('an address that is taken costs its own listener only', async (t) => {
  const nodes = await startServers(t, 1);
  const [node] = nodes ?? [];
  if (node === undefined) return;
  const plan = planTo(node.port);
  const proxy = await startProxy(t, plan);
  const [port = 0] = portsOf(proxy);
  const [first] = plan.listeners;
  assert.ok(first);
  const taken = { ...first, bind: { address: '127.0.0.1', port: node.port } };
  await assert.rejects(
    proxy.update({ ...plan, listeners: [taken, first] }),
    new RegExp(`127.0.0.1:${node.port} is in use by another process`),
  );
  assert.equal(await client(t, port).set('k', 'v'), 'OK');
});
