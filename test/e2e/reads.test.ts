import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { Redis } from 'ioredis';

import type { ReadPolicy } from '../../src/api/objects.ts';
import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { startRedis, stopRedis, type RedisNode } from '../../src/demo/redis-node.ts';
import { countsOf } from '../../src/demo/traffic.ts';
import { needBinaries } from './environment.ts';
import { POLICIES, documents, redisDestination, redisService, serviceObjects } from './objects.ts';
import { answerOf, connect, startSidecar } from './sidecar.ts';

const READS = 300;

/** A primary and two replicas, that are no Redis Cluster. */
async function startReplication(t: TestContext, server: string): Promise<readonly RedisNode[]> {
  const folder = await temporaryFolder('replication');
  t.after(() => removeFolder(folder));
  const nodes = await Promise.all([0, 1, 2].map(() => startRedis({ server, folder })));
  for (const node of nodes) t.after(() => stopRedis(node));
  const [primary, ...replicas] = nodes;
  assert.ok(primary);
  for (const { client } of replicas) await client.replicaof('127.0.0.1', primary.port);
  for (const { client, port } of replicas) {
    await eventually(`port ${port} following`, async () =>
      (await client.info('replication')).includes('master_link_status:up') ? true : undefined,
    );
  }
  return nodes;
}

/** What each node saw of the reads; a stopped one saw none. */
async function readsOf(
  nodes: readonly RedisNode[],
  client: Redis,
  count = READS,
): Promise<readonly number[]> {
  const seen = (): Promise<number[]> =>
    Promise.all(
      nodes.map(async (node) =>
        node.process.isRunning() ? (await countsOf(node.client, { read: 'get', write: 'set' })).reads : 0,
      ),
    );
  const before = await seen();
  for (let at = 0; at < count; at++) await client.get(`key:${at}`);
  const after = await seen();
  return after.map((reads, at) => reads - (before[at] ?? 0));
}

/** What the policy says with everybody there, without replicas, and without the primary. */
const TABLE: readonly (readonly [
  policy: ReadPolicy,
  all: 'primary' | 'replicas' | 'both',
  withoutReplicas: 'primary' | 'error',
  withoutPrimary: 'replicas' | 'error',
])[] = [
  ['MASTER', 'primary', 'primary', 'error'],
  ['PREFER_MASTER', 'primary', 'primary', 'replicas'],
  ['REPLICA', 'replicas', 'error', 'replicas'],
  ['PREFER_REPLICA', 'replicas', 'primary', 'replicas'],
  ['ANY', 'both', 'primary', 'replicas'],
];

/**
 * Reads after which a dead node has been tried, and thrown out, but for one time in a hundred million: each read meets it
 * with a chance of a third at least. (Of 10 reads one run in sixty met it never.)
 */
const TO_MEET_ALL = 50;

function whoAnswered([primary = 0, ...replicas]: readonly number[]): string {
  const ofReplicas = replicas.reduce((sum, reads) => sum + reads, 0);
  if (primary + ofReplicas < READS) return `only ${primary + ofReplicas} reads`;
  if (ofReplicas === 0) return 'primary';
  // Spread evenly: nobody gets less than half of its share.
  const isEven = (shares: readonly number[]): boolean =>
    shares.every((reads) => reads > READS / shares.length / 2);
  if (primary === 0) return isEven(replicas.filter((reads) => reads > 0)) ? 'replicas' : 'replicas unevenly';
  return isEven([primary, ...replicas]) ? 'both' : 'both unevenly';
}

async function kill(node: RedisNode): Promise<void> {
  node.process.signal('SIGKILL');
  await node.process.ended;
}

test('reads of a primary with replicas outside a Redis Cluster go where each policy says', async (t) => {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return;
  const ports = await freePorts(POLICIES.length);
  // Two of everything: one loses its replicas, the other its primary.
  for (const lost of ['replicas', 'primary'] as const) {
    await t.test(`until the ${lost} are lost, and after`, async (st) => {
      const nodes = await startReplication(st, binaries.redis.server);
      const [primary, ...replicas] = nodes;
      assert.ok(primary);
      const { port } = primary;
      const shared = documents(
        redisDestination({ name: 'primary', mode: 'PROXY', connectTimeout: '300ms' }),
        ...serviceObjects({ name: 'primary', port: 6379, endpoints: [port] }),
        ...serviceObjects({ name: 'replicas', port: 6379, endpoints: replicas.map((node) => node.port) }),
      );
      const hosts = POLICIES.map((readPolicy, at) => {
        const name = readPolicy.toLowerCase().replace('_', '-');
        const rules = [{ route: { host: 'primary', reads: { host: 'replicas' } } }];
        return documents(
          redisService({ name, settings: { readPolicy }, rules }),
          ...serviceObjects({ name, port: ports[at] ?? 0, endpoints: [] }),
        );
      });
      await startSidecar(st, {
        envoy: binaries.envoy,
        files: { 'hosts.yaml': [shared, ...hosts].join('---\n') },
      });
      const clients = POLICIES.map((_, at) => connect(st, ports[at] ?? 0, { maxRetriesPerRequest: 3 }));
      for (const [at, client] of clients.entries()) {
        await eventually(`answers through ${POLICIES[at]}`, async () => {
          await client.set('warm', 'up');
          return (await client.get('warm')) === 'up' ? true : undefined;
        });
      }
      for (const [at, [policy, all]] of TABLE.entries()) {
        await st.test(`${policy}: ${all}`, async () => {
          const client = clients[at];
          assert.ok(client);
          assert.equal(whoAnswered(await readsOf(nodes, client)), all);
        });
      }
      const [dying] = replicas;
      const preferring = clients[POLICIES.indexOf('PREFER_REPLICA')];
      assert.ok(dying && preferring);
      if (lost === 'replicas') {
        await st.test('PREFER_REPLICA with one replica of two: that one, and never the primary', async () => {
          await kill(dying);
          await eventually('reads without error', async () => {
            for (let sent = 0; sent < TO_MEET_ALL; sent++) await preferring.get('key');
            return true;
          });
          assert.equal(whoAnswered(await readsOf(nodes, preferring)), 'replicas');
        });
      }
      for (const node of lost === 'primary' ? [primary] : replicas) await kill(node);
      for (const [at, [policy, , withoutReplicas, withoutPrimary]] of TABLE.entries()) {
        const expected = lost === 'primary' ? withoutPrimary : withoutReplicas;
        await st.test(`${policy} without ${lost}: ${expected}`, async () => {
          const client = clients[at];
          assert.ok(client);
          if (expected === 'error') {
            await eventually('errors only', async () => {
              const answers = [];
              for (let sent = 0; sent < 5; sent++) answers.push(await answerOf(client.get('key')));
              return answers.every((answer) => /upstream/.test(String(answer))) ? true : undefined;
            });
            return;
          }
          await eventually('reads without error', async () => {
            for (let sent = 0; sent < TO_MEET_ALL; sent++) await client.get('key');
            return true;
          });
          assert.equal(whoAnswered(await readsOf(nodes, client)), expected);
        });
      }
    });
  }
});
