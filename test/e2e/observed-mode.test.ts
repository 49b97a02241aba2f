import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { ReadPolicy } from '../../src/api/objects.ts';
import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { startRedis, stopRedis, type RedisNode } from '../../src/demo/redis-node.ts';
import { needBinaries, type Binaries } from './environment.ts';
import { documents, hostObjects, POLICIES, redisService, serviceObjects } from './objects.ts';
import { everyChange } from './policy-changes.ts';
import { connect, startSidecar, type Sidecar } from './sidecar.ts';

const NAME = 'bare';

/** What answers behind the object, and how Envoy reaches it while it is taken for what it is. */
interface Kind {
  readonly what: string;
  readonly mode: 'cluster' | 'standalone';
  readonly envoyType: RegExp;
  start(t: TestContext, binaries: Binaries): Promise<readonly RedisNode[]>;
}

const KINDS: readonly Kind[] = [
  {
    what: 'a Redis Cluster',
    mode: 'cluster',
    envoyType: /"name": "envoy\.clusters\.redis"/,
    start: async (t, { redis }) => {
      const cluster = await RedisCluster.start({ redis, shards: 3, replicas: 1 });
      t.after(() => cluster.stop());
      return cluster.nodes;
    },
  },
  {
    what: 'a single server',
    mode: 'standalone',
    envoyType: /"type": "EDS"/,
    start: async (t, { redis }) => {
      const folder = await temporaryFolder('single');
      t.after(() => removeFolder(folder));
      const node = await startRedis({ server: redis.server, folder });
      t.after(() => stopRedis(node));
      return [node];
    },
  },
];

interface Setting {
  readonly sidecar: Sidecar;
  readonly nodes: readonly RedisNode[];
  readonly port: number;
  /** Resolves when Envoy has this policy, or where it shows nowhere, the control plane. */
  edit(policy: ReadPolicy): Promise<void>;
  /** One command through Envoy, and Envoy's own word for what it was sent. */
  check(): Promise<void>;
}

async function setUp(t: TestContext, kind: Kind): Promise<Setting | undefined> {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return undefined;
  const nodes = await kind.start(t, binaries);
  const [port = 0] = await freePorts(1);
  const endpoints = nodes.slice(0, 1).map((node) => node.port);
  const objects = (policy: ReadPolicy): string =>
    documents(
      redisService({ name: NAME, settings: { readPolicy: policy } }),
      ...serviceObjects({ name: NAME, port, endpoints }),
    );
  const sidecar = await startSidecar(t, {
    envoy: binaries.envoy,
    files: { 'bare.yaml': objects('MASTER') },
  });
  return {
    sidecar,
    nodes,
    port,
    edit: async (policy) => {
      await sidecar.write('bare.yaml', objects(policy));
      await eventually(`${policy} in force`, async () => {
        if (kind.mode === 'cluster') return (await policyOfEnvoy(sidecar)) === policy ? true : undefined;
        return policyWithoutReplicas(sidecar) === policy ? true : undefined;
      });
    },
    check: async () => {
      assert.match(
        await sidecar.envoy.admin('/config_dump?resource=dynamic_active_clusters'),
        kind.envoyType,
      );
    },
  };
}

async function policyOfEnvoy({ envoy }: Sidecar): Promise<string> {
  const dump = await envoy.admin('/config_dump?resource=dynamic_listeners');
  return /"read_policy": "([A-Z_]+)"/.exec(dump)?.[1] ?? 'MASTER';
}

/** Plain servers are sent no policy; that it has no effect is said of each but MASTER. */
function policyWithoutReplicas({ controlPlane }: Sidecar): string {
  const said = controlPlane.diagnostics().find(({ reason }) => reason === 'PolicyWithoutReplicas');
  return said?.message.split(' ', 1)[0] ?? 'MASTER';
}

/** How often Envoy was sent a changed cluster by now: never, unless the mode changed. */
async function changedClusters(sidecar: Sidecar): Promise<number | undefined> {
  // A listener that comes shows that Envoy has all that was sent before it.
  const [port = 0] = await freePorts(1);
  const name = `marker-${port}`;
  await sidecar.write(`${name}.yaml`, hostObjects({ name, port, endpoints: [1], mode: 'PROXY' }));
  await eventually(`the listener ${name}`, async () =>
    (await sidecar.envoy.admin('/config_dump?resource=dynamic_listeners')).includes(name) ? true : undefined,
  );
  return (await sidecar.envoy.stats('cluster_manager.cluster_modified')).get(
    'cluster_manager.cluster_modified',
  );
}

async function answers(t: TestContext, port: number): Promise<void> {
  const client = connect(t, port, { maxRetriesPerRequest: 5 });
  await eventually('an answer', async () => ((await client.set('key', 'value')) === 'OK' ? true : undefined));
  client.disconnect();
}

for (const kind of KINDS) {
  test(`every change of policy of a bare object on ${kind.what}: its mode stays right`, async (t) => {
    const setting = await setUp(t, kind);
    if (setting === undefined) return;
    const { sidecar, port, nodes } = setting;
    await answers(t, port);
    await t.test('while the host answers', async () => {
      for (const policy of everyChange()) {
        await setting.edit(policy);
        await setting.check();
        await answers(t, port);
      }
      assert.equal(await changedClusters(sidecar), 0);
    });
    await t.test('while the host can be reached no more', async () => {
      for (const { process } of nodes) process.signal('SIGKILL');
      for (const { process } of nodes) await process.ended;
      for (const policy of everyChange()) {
        await setting.edit(policy);
        await setting.check();
      }
      assert.equal(await changedClusters(sidecar), 0);
    });
  });

  test(`the control plane starts again under a bare object on ${kind.what}: its mode stays right`, async (t) => {
    const setting = await setUp(t, kind);
    if (setting === undefined) return;
    const { sidecar, port } = setting;
    await answers(t, port);
    for (const policy of POLICIES) {
      await t.test(`with ${policy}`, async () => {
        await setting.edit(policy);
        await sidecar.restartControlPlane();
        assert.equal(await changedClusters(sidecar), 0);
        await setting.check();
        await answers(t, port);
      });
    }
  });

  test(`what a bare object's host says (${kind.mode}) is shown`, async (t) => {
    const setting = await setUp(t, kind);
    if (setting === undefined) return;
    const admin = `http://${setting.sidecar.controlPlane.adminAddress}`;
    const host = `${NAME}.redis.svc.cluster.local:${setting.port}`;
    const dump = await (await fetch(`${admin}/config_dump`)).json();
    assert.deepEqual((dump as { observations: unknown }).observations, [{ host, mode: kind.mode }]);
    const metrics = await (await fetch(`${admin}/metrics`)).text();
    assert.ok(metrics.includes(`redpilot_observed_mode{host="${host}",mode="${kind.mode}"} 1`), metrics);
  });
}
