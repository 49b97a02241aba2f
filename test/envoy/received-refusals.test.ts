/**
 * What a refused resource leaves behind: nothing.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decode, encode } from '../../src/envoy/codec.ts';
import { ReceivedPlan } from '../../src/envoy/received/plan.ts';
import { CLUSTER_TYPE, ENDPOINTS_TYPE } from '../../src/envoy/resource.ts';
import { snapshotOf } from '../../src/envoy/snapshot.ts';
import { planOfCase } from '../golden/case.ts';
import { weakUpstreamTls } from '../tls/certificates.ts';
import { planTo } from '../proxy/servers.ts';

test('refused: a cluster with a certificate that OpenSSL does not take', async () => {
  const tls = await weakUpstreamTls();
  const plan = planTo(6_379, { mode: 'cluster', listen: { address: '127.0.0.1', port: 6_380 } });
  const [upstream] = plan.upstreams.values();
  assert.ok(upstream?.mode === 'cluster');
  const upstreams = new Map([[upstream.id, { ...upstream, tls }]]);
  const changed = snapshotOf({ ...plan, upstreams }, undefined).get(CLUSTER_TYPE)?.list ?? [];
  const received = new ReceivedPlan();
  const problems = received.apply(CLUSTER_TYPE, changed, []);
  assert.match(problems.get(upstream.id) ?? 'none', /^OpenSSL does not take its certificate/);
  assert.equal(received.plan().upstreams.size, 0);
});

test('refused: an address with a port beyond the last', () => {
  const plan = planTo(65_536, { mode: 'cluster', listen: { address: '127.0.0.1', port: 6_380 } });
  const received = new ReceivedPlan();
  const problems = received.apply(
    CLUSTER_TYPE,
    snapshotOf(plan, undefined).get(CLUSTER_TYPE)?.list ?? [],
    [],
  );
  assert.deepEqual([...problems.values()], ['an endpoint has port 65536, and 65535 is the last']);
});

test('endpoints that are refused when there were none before are still waited for', async () => {
  const { received, name } = await waiting();
  assert.deepEqual([...received.apply(ENDPOINTS_TYPE, [{ name, bytes: twoNames(name) }], []).keys()], [name]);
  assert.deepEqual(received.missingEndpoints(), [name]);
});

test('endpoints that one of their clusters refuses change none of them', async () => {
  const { name, cluster, endpoints } = await waiting();
  const reads = encode('envoy.config.cluster.v3.Cluster', {
    ...decode('envoy.config.cluster.v3.Cluster', cluster),
    name: 'reads',
    lb_policy: 'RANDOM',
    eds_cluster_config: {
      ...decode('envoy.config.cluster.v3.Cluster', cluster).eds_cluster_config,
      service_name: name,
    },
  });
  // The one that takes them is looked at first.
  const shared = new ReceivedPlan();
  shared.apply(CLUSTER_TYPE, [{ name: 'reads', bytes: reads }], []);
  shared.apply(CLUSTER_TYPE, [{ name, bytes: cluster }], []);
  shared.apply(ENDPOINTS_TYPE, [{ name, bytes: endpoints }], []);
  const before = [...shared.plan().upstreams];
  assert.equal(before.length, 2);
  assert.deepEqual([...shared.apply(ENDPOINTS_TYPE, [{ name, bytes: twoNames(name) }], []).keys()], [name]);
  assert.deepEqual([...shared.plan().upstreams], before);
});

/** A cluster whose endpoints have not come. */
async function waiting(): Promise<{
  readonly received: ReceivedPlan;
  readonly name: string;
  readonly cluster: Uint8Array;
  readonly endpoints: Uint8Array;
}> {
  const snapshot = snapshotOf((await planOfCase('proxy-mode-endpoints')).plan, undefined);
  const [cluster] = snapshot.get(CLUSTER_TYPE)?.list ?? [];
  const [endpoints] = snapshot.get(ENDPOINTS_TYPE)?.list ?? [];
  assert.ok(cluster && endpoints);
  const received = new ReceivedPlan();
  received.apply(CLUSTER_TYPE, [cluster], []);
  return { received, name: cluster.name, cluster: cluster.bytes, endpoints: endpoints.bytes };
}

/** Keys can't be spread over them; reads can. */
function twoNames(name: string): Uint8Array {
  const endpoint = (address: string): object => ({
    endpoint: { address: { socket_address: { address, port_value: 6_379 } } },
  });
  return encode('envoy.config.endpoint.v3.ClusterLoadAssignment', {
    cluster_name: name,
    endpoints: [{ lb_endpoints: [endpoint('a.example'), endpoint('b.example')] }],
  });
}
