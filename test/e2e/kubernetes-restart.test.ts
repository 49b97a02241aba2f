import assert from 'node:assert/strict';
import { test } from 'node:test';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually as within } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { startRedis, stopRedis } from '../../src/demo/redis-node.ts';
import { CLUSTER_TYPE, LISTENER_TYPE } from '../../src/envoy/resource.ts';
import { needRedis } from './environment.ts';
import { startKubeControlPlane, type ObservedControlPlane } from './kube-control-plane.ts';
import { clusterHost, destination, documents, redisService, secret, service } from './kube-objects.ts';
import { startKubeSetting } from './kube-setting.ts';
import { awaitStatus, conditionsOf } from './kube-status.ts';
import { resourcesFor } from './served.ts';
import { connect, connectEnvoy } from './sidecar.ts';
import { startTroubledWire } from './troubled-wire.ts';

const eventually = <T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> =>
  within(what, look, { deadlineMs: 60_000, everyMs: 100 });

const REPLICAS = 2;
const MEMORY = '/api/v1/namespaces/redpilot/configmaps/redpilot-memory';

test('both replicas restarted at once: what was in force is, and the status is right', async (t) => {
  const setting = await startKubeSetting(t);
  const redis = await needRedis(t);
  if (setting === undefined || redis === undefined) return;
  const { kube, envoy, seeds } = setting;
  const xdsPorts = await freePorts(REPLICAS);
  let replicas: readonly ObservedControlPlane[] = [];
  const startAll = async (): Promise<void> => {
    const started: ObservedControlPlane[] = [];
    for (const xdsPort of xdsPorts)
      started.push(await startKubeControlPlane(t, kube, { xdsPort, probe: true }));
    replicas = started;
  };
  await startAll();

  const place = async (
    what: string,
    seeds: readonly number[],
  ): Promise<{ namespace: string; port: number }> => {
    const namespace = await kube.newNamespace(what);
    const [port = 0] = await freePorts(1);
    const settings = { readPolicy: 'REPLICA', auth: { secret: { name: 'clients' } } };
    await kube.apply(
      [
        clusterHost(namespace, 'cache', port, seeds),
        documents(secret(namespace, 'clients', { password: 'word' })),
        documents(redisService(namespace, 'cache', { settings })),
      ].join('---\n'),
    );
    const xdsAddress = replicas[namespace.length % REPLICAS]?.xdsAddress ?? '';
    await connectEnvoy(t, { envoy, xdsAddress, namespace, nodeId: namespace });
    await ping(port);
    return { namespace, port };
  };
  const ping = async (port: number): Promise<void> => {
    const client = connect(t, port, { password: 'word', maxRetriesPerRequest: 20 });
    await eventually('an answer', () => client.ping());
  };
  const memory = async (): Promise<string> => JSON.stringify(await kube.request(MEMORY));
  /** With their versions, as each replica serves them. */
  const servedIn = async (namespace: string): Promise<readonly unknown[]> =>
    await Promise.all(
      replicas.flatMap(({ xdsAddress }) =>
        ([CLUSTER_TYPE, LISTENER_TYPE] as const).map((type) => resourcesFor(xdsAddress, namespace, type)),
      ),
    );

  const edited = await place('edited', seeds);
  const orphan = await place('orphan', seeds);
  const annotated = await place('annotated', seeds);
  const renamed = await place('renamed', seeds);
  const described = await place('described', seeds);
  await kube.apply(
    documents(redisService(edited.namespace, 'cache', { redis: [{ route: { host: 'not-there' } }] })),
  );
  await kube.kubectl(['delete', 'service', 'cache', '-n', orphan.namespace]);
  await kube.kubectl(['annotate', 'rsvc', 'cache', '-n', annotated.namespace, 'redpilot.dev/listen=nowhere']);
  const ports = ['http', 'https'].map((name, index) => ({ name, port: 7_000 + index }));
  await kube.apply(documents({ ...service(renamed.namespace, 'cache', 0), spec: { ports } }));
  // Nothing but white space for JavaScript, which the definition's language does not know as such.
  const auth = { plain: { password: '\ufeff' } };
  await kube.apply(documents(destination(described.namespace, 'cache', { auth })));
  const bad = [edited, orphan, annotated, renamed, described];
  for (const { namespace } of bad)
    await eventually(`${namespace} is stored`, async () =>
      (await memory()).includes(namespace) ? true : undefined,
    );

  // A host that says something else of itself than one would think, and then nothing any more.
  const folder = await temporaryFolder('standalone');
  t.after(() => removeFolder(folder));
  const standalone = await startRedis({ server: redis.server, folder });
  t.after(() => stopRedis(standalone));
  const asked = await kube.newNamespace('asked');
  const name = { type: 'ExternalName', externalName: 'localhost', ports: [{ port: standalone.port }] };
  await kube.apply(
    documents(
      { ...service(asked, 'cache', standalone.port), spec: name },
      redisService(asked, 'cache', { settings: { readPolicy: 'REPLICA' } }),
    ),
  );
  const host = `cache.${asked}.svc.cluster.local:${standalone.port}`;
  await eventually('its mode is stored', async () => ((await memory()).includes(host) ? true : undefined));
  await stopRedis(standalone);

  // A Redis Cluster whose servers are all replaced: the name leads to others.
  const second = await RedisCluster.start({ redis, replicas: 0 });
  t.after(() => second.stop());
  const wire = await startTroubledWire(t, seeds[0] ?? 0);
  const replaced = await kube.newNamespace('replaced');
  const [port = 0] = await freePorts(1);
  const slice = (address: string): object => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'cache-1', namespace: replaced, labels: { 'kubernetes.io/service-name': 'cache' } },
    addressType: 'IPv4',
    ports: [{ name: 'redis', port }],
    endpoints: [{ addresses: [address] }],
  });
  await kube.apply(clusterHost(replaced, 'cache', port, [wire.port]));
  await kube.apply(documents(slice('192.0.2.1'), redisService(replaced, 'cache')));
  const xdsAddress = replicas[0]?.xdsAddress ?? '';
  await connectEnvoy(t, { envoy, xdsAddress, namespace: replaced, nodeId: replaced });
  const client = connect(t, port, { maxRetriesPerRequest: 20 });
  await eventually('an answer', () => client.set('before', 'value'));
  wire.leadTo(second.nodes[0]?.port ?? 0);
  await kube.apply(documents(slice('192.0.2.9')));
  await eventually('an answer of the others', async () => {
    await client.set('after', 'value');
    const found = await Promise.all(second.nodes.map((node) => node.client.exists('after').catch(() => 0)));
    return found.includes(1) ? true : undefined;
  });
  await eventually('it is stored', async () =>
    (await memory()).includes(`[\\"cache.${replaced}`) ? true : undefined,
  );

  const namespaces = [...bad.map(({ namespace }) => namespace), asked, replaced];
  const served = await Promise.all(namespaces.map(servedIn));
  const statusOf = (namespace: string): ReturnType<typeof conditionsOf> => conditionsOf(kube, { namespace });
  const said = await Promise.all(bad.map(({ namespace }) => statusOf(namespace)));
  assert.match(JSON.stringify(served), /"MAGLEV".*"generation"/s);

  await Promise.all(replicas.map((replica) => replica.close()));
  for (const { port } of bad) await ping(port);
  await startAll();
  assert.deepEqual(await Promise.all(namespaces.map(servedIn)), served);
  for (const { port } of bad) await ping(port);

  // Mended, it is forgotten; what is written of it shows that a leader has looked at all of them.
  await kube.apply(documents(redisService(edited.namespace, 'cache')));
  await awaitStatus(kube, edited, 'Accepted=True ResolvedRefs=True Programmed=True');
  assert.deepEqual(
    await Promise.all(bad.slice(1).map(({ namespace }) => statusOf(namespace))),
    said.slice(1),
  );
  await eventually('it is forgotten', async () =>
    (await memory()).includes(edited.namespace) ? undefined : true,
  );
});
