import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';

import { stringify } from 'yaml';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually as within } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import type { Condition } from '../../src/status/conditions.ts';
import { needBinaries } from './environment.ts';
import { KubeCluster } from './kube-cluster.ts';
import { startKubeControlPlane, type ObservedControlPlane } from './kube-control-plane.ts';
import { clusterHost, documents, redisService, secret } from './kube-objects.ts';
import { connectEnvoy } from './sidecar.ts';

const eventually = <T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  seen: () => string = () => '',
): Promise<T> => within(what, look, { deadlineMs: 60_000, everyMs: 100, seen });

/** `Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies` */
function shortly(conditions: readonly Condition[]): string {
  return conditions
    .map(({ type, status, reason }) => `${type}=${status}${status === 'True' ? '' : `/${reason}`}`)
    .join(' ');
}

test('the status of objects', async (t) => {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return;
  const kube = await KubeCluster.start(t, { crds: false });
  if (kube === undefined) return;
  await kube.installControlPlane();
  const redis = await RedisCluster.start({ redis: binaries.redis });
  t.after(() => redis.stop());
  const seeds = redis.nodes.slice(0, 2).map((node) => node.port);
  const replicas: ObservedControlPlane[] = [];
  for (let count = 0; count < 2; count += 1) replicas.push(await startKubeControlPlane(t, kube));
  const leader = await eventually('a leader', () =>
    replicas.find(({ lines }) => lines.some((line) => line.includes('is held: this replica writes'))),
  );
  const follower = replicas.find((replica) => replica !== leader) ?? leader;

  const conditionsOf = async (namespace: string, kind = 'rsvc'): Promise<readonly Condition[]> => {
    const { stdout } = await kube.kubectl(['get', kind, 'cache', '-n', namespace, '-o', 'json']);
    const { status, metadata } = JSON.parse(stdout) as {
      readonly status?: { readonly conditions?: readonly Condition[] };
      readonly metadata: { readonly generation: number };
    };
    return (status?.conditions ?? []).filter(
      ({ observedGeneration }) => observedGeneration === metadata.generation,
    );
  };
  const awaitStatus = async (
    namespace: string,
    expected: string,
    kind = 'rsvc',
  ): Promise<readonly Condition[]> => {
    let last = '';
    return await eventually(
      `${namespace}: ${expected}`,
      async () => {
        const conditions = await conditionsOf(namespace, kind);
        last = `${shortly(conditions)}: ${conditions.map(({ message }) => message).join('; ')}`;
        return shortly(conditions) === expected ? conditions : undefined;
      },
      () => last,
    );
  };
  const messageOf = (conditions: readonly Condition[], type: string): string =>
    conditions.find((condition) => condition.type === type)?.message ?? '';
  const place = async (): Promise<{ namespace: string; port: number }> => {
    const namespace = await kube.newNamespace('status');
    const [port = 0] = await freePorts(1);
    await kube.apply(clusterHost(namespace, 'cache', port, seeds));
    return { namespace, port };
  };

  await t.test('without a proxy, with one, and as kubectl shows it', async (t) => {
    const { namespace } = await place();
    await kube.apply(documents(redisService(namespace, 'cache')));
    await awaitStatus(namespace, 'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies');
    await awaitStatus(namespace, 'Accepted=True ResolvedRefs=True', 'rd');
    await connectEnvoy(t, { envoy: binaries.envoy, xdsAddress: leader.xdsAddress, namespace, nodeId: 'one' });
    const waited = await kube.kubectl([
      'wait',
      '--for=condition=Programmed',
      '--timeout=60s',
      'rsvc/cache',
      '-n',
      namespace,
    ]);
    assert.equal(waited.status, 0, waited.stderr);
    const { stdout } = await kube.kubectl(['get', 'rsvc', '-n', namespace]);
    assert.match(stdout, /cache +cache +True +True /);
  });

  for (const [who, replica] of [
    ['the leader', leader],
    ['the other replica', follower],
  ] as const) {
    await t.test(
      `what an Envoy at ${who} refuses is told in its words, until the cause is gone`,
      async (t) => {
        const { namespace, port } = await place();
        const squatter = createServer();
        await new Promise<void>((resolve) => squatter.listen(port, '127.0.0.1', resolve));
        await connectEnvoy(t, {
          envoy: binaries.envoy,
          xdsAddress: replica.xdsAddress,
          namespace,
          nodeId: `node-of-${namespace}`,
        });
        await kube.apply(documents(redisService(namespace, 'cache')));
        const refused = await awaitStatus(
          namespace,
          'Accepted=True ResolvedRefs=True Programmed=False/Rejected',
        );
        assert.equal(
          messageOf(refused, 'Programmed'),
          `refused by node-of-${namespace}: cannot bind '127.0.0.1:${port}': Address already in use`,
        );
        await new Promise((resolve) => squatter.close(resolve));
        await awaitStatus(namespace, 'Accepted=True ResolvedRefs=True Programmed=True');
        await eventually('events of both', async () => {
          const { stdout } = await kube.kubectl(['get', 'events', '-n', namespace]);
          return stdout.includes('Rejected') && stdout.includes('Programmed') ? true : undefined;
        });
      },
    );
  }

  await t.test('references that lead nowhere, and their repair', async () => {
    const namespace = await kube.newNamespace('status');
    const settings = { auth: { secret: { name: 'clients' } } };
    await kube.apply(documents(redisService(namespace, 'cache', { settings })));
    const missing = await awaitStatus(
      namespace,
      'Accepted=True ResolvedRefs=False/SecretNotFound Programmed=False/SecretNotFound',
    );
    assert.match(
      messageOf(missing, 'ResolvedRefs'),
      /spec\.settings\.auth\.secret\.name: there is no Secret/,
    );
    assert.match(
      messageOf(missing, 'ResolvedRefs'),
      /spec\.host\[0\]: there is no Service status-\d+\/cache/,
    );
    const [port = 0] = await freePorts(1);
    await kube.apply(clusterHost(namespace, 'cache', port, seeds));
    await kube.apply(documents(secret(namespace, 'clients', { password: 'secret-word' })));
    const repaired = await awaitStatus(
      namespace,
      'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies',
    );
    assert.doesNotMatch(JSON.stringify(repaired), /secret-word/);
  });

  await t.test('a conflict is told to the younger object, and ends with the older one', async () => {
    const { namespace } = await place();
    await kube.apply(documents({ ...redisService(namespace, 'a'), spec: { host: ['cache'] } }));
    await eventually('the first is accepted', async () =>
      (await kube.kubectl(['get', 'rsvc', 'a', '-n', namespace, '-o', 'json'])).stdout.includes('Accepted')
        ? true
        : undefined,
    );
    await kube.apply(documents(redisService(namespace, 'cache')));
    const conflict = await awaitStatus(
      namespace,
      'Accepted=False/HostConflict ResolvedRefs=True Programmed=False/HostConflict Conflicted=True',
    );
    assert.match(messageOf(conflict, 'Conflicted'), new RegExp(`RedisService ${namespace}/a`));
    await kube.kubectl(['delete', 'rsvc', 'a', '-n', namespace]);
    await awaitStatus(namespace, 'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies');
  });

  await t.test('a field that the API server dropped is told, where kubectl noted it', async () => {
    const { namespace } = await place();
    const object = { ...redisService(namespace, 'cache', { settings: { readpolicy: 'REPLICA' } }) };
    await kube.apply(stringify(object), '--validate=false');
    const conditions = await awaitStatus(
      namespace,
      'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies',
    );
    assert.match(messageOf(conditions, 'Accepted'), /spec\.settings\.readpolicy: .*write readPolicy/);
  });

  await t.test('many changes to one object cost at most a write a second', async () => {
    const { namespace } = await place();
    await kube.apply(documents(redisService(namespace, 'cache')));
    await awaitStatus(namespace, 'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies');
    const before = await writesOf(replicas);
    const began = Date.now();
    for (let change = 0; change < 20; change += 1) {
      const settings = { opTimeout: `${change + 1}s` };
      await kube.apply(documents(redisService(namespace, 'cache', { settings })));
    }
    await awaitStatus(namespace, 'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies');
    const seconds = (Date.now() - began) / 1_000;
    const writes = (await writesOf(replicas)) - before;
    assert.ok(writes <= seconds + 1, `${writes} writes in ${seconds} s`);
  });
});

async function writesOf(replicas: readonly ObservedControlPlane[]): Promise<number> {
  const counts = await Promise.all(
    replicas.map(async ({ adminAddress }) => {
      const text = await (await fetch(`http://${adminAddress}/metrics`)).text();
      return Number(/^redpilot_status_writes_total (\d+)/m.exec(text)?.[1] ?? 0);
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
