import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Redis } from 'ioredis';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { needBinaries } from './environment.ts';
import { POLICIES, hostObjects } from './objects.ts';
import { answerOf, connect, startSidecar } from './sidecar.ts';

/** Envoy 1.40 takes these writes for reads: they are tried on a replica, whose MOVED brings them to the primary. */
const WRITES_AS_READS = ['getex', 'getset', 'xack', 'xadd', 'xautoclaim', 'xclaim', 'xdel', 'xtrim'];

/** Envoy 1.40 knows no handler for these: they are answered with an error and reach no node. */
const UNKNOWN_TO_ENVOY: ReadonlySet<string> = new Set(
  (
    'blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin fcall lmpop migrate move pfdebug restore-asking ' +
    'spublish swapdb xgroup xreadgroup xsetid zmpop ' +
    // Valkey's own.
    'delifeq hgetdel hgetex hsetex msetex'
  ).split(' '),
);

/** Where keys stand elsewhere than the command table's first position says, or a word is needed. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  bitop: ['AND', '{k}1', '{k}2'],
  eval: ["return redis.call('set', KEYS[1], 1)", '1', '{k}1'],
  evalsha: ['0000000000000000000000000000000000000000', '1', '{k}1'],
  sort: ['{k}1'],
  zdiffstore: ['{k}1', '1', '{k}2'],
  zinterstore: ['{k}1', '1', '{k}2'],
  zunionstore: ['{k}1', '1', '{k}2'],
};

/** Envoy splits MSET into SETs. */
const SENT_AS: Readonly<Record<string, string>> = { mset: 'set' };

interface WriteCommand {
  readonly name: string;
  readonly args: readonly string[];
}

type CommandInfo = readonly [string, number, readonly string[], number, number, number, ...unknown[]];

/** Every command of the server's own table that writes and has a key. */
async function keyedWrites(node: Redis): Promise<readonly WriteCommand[]> {
  const table = (await node.call('COMMAND')) as readonly CommandInfo[];
  return table
    .filter(([, , flags, first]) => flags.includes('write') && (first > 0 || flags.includes('movablekeys')))
    .map(([name, arity, , first, last, step]) => {
      const given = ARGUMENTS[name];
      if (given !== undefined) return { name, args: given };
      const count = Math.max(Math.abs(arity) - 1, first);
      const end = last < 0 ? count : last;
      const isKey = (at: number): boolean =>
        at >= first && at <= end && (at - first) % Math.max(step, 1) === 0;
      return {
        name,
        args: Array.from({ length: count }, (_, index) => (isKey(index + 1) ? `{k}${index}` : '1')),
      };
    });
}

/** Calls that a node carried out, or refused, of one command. */
async function callsOf(
  client: Redis,
  name: string,
): Promise<{ readonly calls: number; readonly rejected: number }> {
  const info = await client.info('commandstats');
  const line = info.split('\r\n').find((text) => text.startsWith(`cmdstat_${name}:`)) ?? '';
  const field = (label: string): number => Number(new RegExp(`\\b${label}=(\\d+)`).exec(line)?.[1] ?? 0);
  return { calls: field('calls'), rejected: field('rejected_calls') };
}

test("keyed write commands of Redis' own table end on primaries under every policy", async (t) => {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return;
  const cluster = await RedisCluster.start({ redis: binaries.redis, shards: 1, replicas: 2 });
  t.after(() => cluster.stop());
  const ports = await freePorts(POLICIES.length);
  const [seed] = cluster.nodes;
  assert.ok(seed);
  const hosts = POLICIES.map((readPolicy, index) =>
    hostObjects({
      name: readPolicy.toLowerCase().replace('_', '-'),
      port: ports[index] ?? 0,
      endpoints: [seed.port],
      mode: 'CLUSTER',
      settings: { readPolicy },
    }),
  );
  await startSidecar(t, { envoy: binaries.envoy, files: { 'hosts.yaml': hosts.join('---\n') } });
  const [shard] = await cluster.shards();
  assert.ok(shard);
  const primary = cluster.node(shard.primary).client;
  const replicas = shard.replicas.map((port) => cluster.node(port).client);
  const commands = await keyedWrites(primary);
  assert.ok(commands.length > 80, `the table has only ${commands.length} keyed write commands`);

  for (const [index, policy] of POLICIES.entries()) {
    await t.test(policy, async (st) => {
      const client = connect(st, ports[index] ?? 0, { maxRetriesPerRequest: 5 });
      await eventually('an answer', async () => ((await client.get('{k}')) === null ? true : undefined));
      const unknown: string[] = [];
      const triedOnReplicas: string[] = [];
      const lost: string[] = [];
      for (const { name, args } of commands) {
        const sent = SENT_AS[name] ?? name;
        const refusedBefore = await rejectedBy(replicas, sent);
        const before = await callsOf(primary, sent);
        const answer = await answerOf(client.call(name, ...args));
        const after = await callsOf(primary, sent);
        if (String(answer).startsWith('ERR unknown command')) unknown.push(name);
        else if (after.calls === before.calls) lost.push(`${name}: ${JSON.stringify(answer)}`);
        if ((await rejectedBy(replicas, sent)) > refusedBefore) triedOnReplicas.push(name);
      }
      assert.deepEqual(lost, []);
      const known = commands.map(({ name }) => name).filter((name) => UNKNOWN_TO_ENVOY.has(name));
      assert.deepEqual(unknown.toSorted(), known.toSorted());
      const expected = policy === 'REPLICA' || policy === 'PREFER_REPLICA' ? WRITES_AS_READS : [];
      if (policy === 'ANY') {
        assert.deepEqual(
          triedOnReplicas.filter((name) => !WRITES_AS_READS.includes(name)),
          [],
        );
      } else {
        assert.deepEqual(triedOnReplicas.toSorted(), expected);
      }
    });
  }
});

test('BITOP is tried where its operation hashes to, and ends on the primary of its keys', async (t) => {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return;
  const cluster = await RedisCluster.start({ redis: binaries.redis, shards: 3, replicas: 0 });
  t.after(() => cluster.stop());
  const [port = 0] = await freePorts(1);
  const objects = hostObjects({
    name: 'cache',
    port,
    endpoints: cluster.nodes.map((node) => node.port),
    mode: 'CLUSTER',
  });
  await startSidecar(t, { envoy: binaries.envoy, files: { 'cache.yaml': objects } });
  const client = connect(t, port, { maxRetriesPerRequest: 5 });
  await eventually('an answer', async () => ((await client.get('{k}')) === null ? true : undefined));
  const nodes = cluster.nodes.map((node) => node.client);
  const shards = await cluster.shards();
  const ownerOf = async (key: string): Promise<Redis> => {
    const slot = await client.cluster('KEYSLOT', key);
    const shard = shards.find(({ slots }) => slots.some(([first, last]) => first <= slot && slot <= last));
    assert.ok(shard);
    return cluster.node(shard.primary).client;
  };
  const tried = await ownerOf('AND');
  const owners = new Set<Redis>();
  for (let tag = 0; owners.size < nodes.length; tag++) {
    const owner = await ownerOf(`{${tag}}`);
    if (owners.has(owner)) continue;
    owners.add(owner);
    const before = { ...(await callsOf(owner, 'bitop')), rejected: await rejectedBy(nodes, 'bitop') };
    assert.equal(await client.bitop('AND', `{${tag}}to`, `{${tag}}1`, `{${tag}}2`), 0);
    assert.equal((await callsOf(owner, 'bitop')).calls, before.calls + 1);
    assert.equal((await rejectedBy(nodes, 'bitop')) - before.rejected, owner === tried ? 0 : 1);
  }
});

async function rejectedBy(nodes: readonly Redis[], name: string): Promise<number> {
  const counts = await Promise.all(nodes.map((node) => callsOf(node, name)));
  return counts.reduce((sum, { rejected }) => sum + rejected, 0);
}
