/**
 * What is read back from resources is the plan that they were made from, in everything that the proxy uses.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SecretText } from '../../src/api/secret-text.ts';
import { encode, type Messages } from '../../src/envoy/codec.ts';
import { ReceivedPlan } from '../../src/envoy/received/plan.ts';
import { CLUSTER_TYPE, ENDPOINTS_TYPE, LISTENER_TYPE, TYPE_URLS } from '../../src/envoy/resource.ts';
import type { Snapshot } from '../../src/envoy/resource-set.ts';
import { inMessage } from '../../src/envoy/secret-place.ts';
import { snapshotOf } from '../../src/envoy/snapshot.ts';
import { any } from '../../src/envoy/codec.ts';
import { listenerMessage } from '../../src/envoy/listener.ts';
import { clusterMessage } from '../../src/envoy/cluster.ts';
import { planDocument } from '../../src/plan/plan-document.ts';
import type { ClusterUpstream, RoutingPlan, Upstream } from '../../src/plan/routing-plan.ts';
import { caseNames, planOfCase } from '../golden/case.ts';
import { planTo } from '../proxy/servers.ts';

/** Fields of the plan that no resource tells, and why the proxy can do without. */
const UNTOLD: Readonly<Record<string, string>> = {
  origin: 'which object a listener came from is told by the control plane, in its Diagnostics',
  onlyNamespaces: 'the view has chosen the listeners of this node already',
  isConsumers: 'decides who governs, which the view has done',
  listen: 'the wish; where it listens in the end is `bind`',
  why: 'a word to people, who have the Diagnostic; the proxy answers an error all the same',
};

/** What Envoy is told is less than the plan says, in these cases. */
const EXCEPTIONS: Readonly<Record<string, { readonly fields: readonly string[]; readonly why: string }>> = {
  'upstream-password-missing': {
    fields: ['leadsToPlainServers'],
    why: 'the mode of an upstream that nobody can use; the field decides on guards of Envoy only',
  },
};

const reveal = (secret: SecretText): string => secret.reveal();

function readBack(snapshot: Snapshot): RoutingPlan {
  const received = new ReceivedPlan();
  for (const typeUrl of TYPE_URLS) {
    const problems = received.apply(typeUrl, snapshot.get(typeUrl)?.list ?? [], []);
    assert.deepEqual([...problems], [], 'nothing of what we send ourselves is refused');
  }
  assert.deepEqual(received.missingEndpoints(), []);
  return received.plan();
}

/** As plain data, without what is not told and in the form in which it does not matter who wrote it. */
function used(plan: RoutingPlan, without: readonly string[] = []): unknown {
  const prune = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(prune);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => !(key in UNTOLD) && !without.includes(key))
        .map(([key, field]) => [key, prune(field)]),
    );
  };
  const upstreams = new Map([...plan.upstreams].map(([id, upstream]) => [id, withPlainGroups(upstream)]));
  return prune(planDocument({ ...plan, upstreams }, reveal));
}

/** A group is a list of servers; nobody places a key on them, and an empty one is none. */
function withPlainGroups(upstream: Upstream): Upstream {
  if (upstream.mode !== 'reads') return upstream;
  const groups = upstream.groups.map((group) =>
    group.flatMap((servers) =>
      servers.kind === 'dns'
        ? servers
        : servers.endpoints.map(({ address, port }) => ({ kind: 'dns' as const, name: address, port })),
    ),
  );
  return { ...upstream, groups: groups.filter((group) => group.length > 0) };
}

for (const name of caseNames()) {
  test(`read back as planned: golden case ${name}`, async () => {
    const { plan } = await planOfCase(name);
    const { fields = [] } = EXCEPTIONS[name] ?? {};
    const back = readBack(snapshotOf(plan, undefined));
    assert.deepEqual(used(back, fields), used(plan, fields));
  });

  test(`what is read back tells an Envoy the same, byte for byte: golden case ${name}`, async () => {
    const { plan } = await planOfCase(name);
    const snapshot = snapshotOf(plan, undefined);
    const again = snapshotOf(readBack(snapshot), undefined);
    for (const typeUrl of name in EXCEPTIONS ? ([CLUSTER_TYPE, ENDPOINTS_TYPE] as const) : TYPE_URLS) {
      assert.deepEqual(again.get(typeUrl)?.list, snapshot.get(typeUrl)?.list);
    }
  });
}

test('every exception is one of a golden case, and still is one', async () => {
  for (const name of Object.keys(EXCEPTIONS)) {
    const { plan } = await planOfCase(name);
    assert.notDeepEqual(used(readBack(snapshotOf(plan, undefined))), used(plan), name);
  }
});

const simple = planTo(7_000, {
  mode: 'cluster',
  readPolicy: 'REPLICA',
  listen: { address: '127.0.0.1', port: 6_379 },
  clientPassword: new SecretText('c'),
  upstreamPassword: new SecretText('u'),
});
const [bound] = simple.listeners;
const [upstream] = simple.upstreams.values();
assert.ok(bound !== undefined && upstream?.mode === 'cluster');

for (const policy of ['MASTER', 'PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY'] as const) {
  test(`zone affinity survives ${policy}, which Envoy has no policy of zones for`, () => {
    const plan: RoutingPlan = {
      listeners: [{ ...bound, listener: { ...bound.listener, readPolicy: policy, zoneAffinity: true } }],
      upstreams: new Map([[upstream.id, { ...upstream, discoverZones: true }]]),
    };
    const [back] = readBack(snapshotOf(plan, undefined)).listeners;
    assert.deepEqual([back?.listener.readPolicy, back?.listener.zoneAffinity], [policy, true]);
  });
}

test('how often all servers of a cluster were replaced is read back', () => {
  const plan: RoutingPlan = {
    ...simple,
    upstreams: new Map([[upstream.id, { ...upstream, generation: 3 }]]),
  };
  assert.deepEqual(readBack(snapshotOf(plan, undefined)).upstreams, plan.upstreams);
});

/** The cluster with other settings; and why it is refused. */
const REFUSED_CLUSTERS: readonly (readonly [
  what: string,
  change: (cluster: Messages['envoy.config.cluster.v3.Cluster']) => object,
  reason: RegExp,
])[] = [
  [
    'another cluster type',
    () => ({ cluster_type: { name: 'envoy.clusters.dns' } }),
    /^its cluster_type is nothing, which/,
  ],
  ['no seeds', () => ({ load_assignment: { cluster_name: 'x' } }), /^it has no seeds$/],
  ['no timeout', () => ({ connect_timeout: null }), /^it has no connect_timeout$/],
  [
    'a pipe',
    () => ({
      load_assignment: {
        endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: '/redis' } } } }] }],
      },
    }),
    /^an endpoint has no address with a port$/,
  ],
  [
    'balancing that Redis has no word for',
    () => ({ cluster_type: null, type: 'STATIC', lb_policy: 'LEAST_REQUEST' }),
    /^lb_policy LEAST_REQUEST is none that the proxy knows/,
  ],
  [
    'TLS of another kind',
    () => ({
      transport_socket: {
        name: 'x',
        typed_config: any('envoy.extensions.health_checkers.redis.v3.Redis', {}),
      },
    }),
    /^its transport socket is envoy.extensions.health_checkers.redis.v3.Redis, not TLS/,
  ],
  [
    'certificates by SDS',
    () => ({
      transport_socket: {
        name: 'x',
        typed_config: any('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', {
          common_tls_context: { validation_context_sds_secret_config: { name: 'ca' } },
        }),
      },
    }),
    /^its certificates come by SDS/,
  ],
];
for (const [what, change, reason] of REFUSED_CLUSTERS) {
  test(`refused: a cluster with ${what}`, () => {
    const message = clusterMessage(upstream, { secrets: inMessage(reveal), place: 'eds', waitForWarm: true });
    assert.match(
      refusal(
        CLUSTER_TYPE,
        upstream.id,
        encode('envoy.config.cluster.v3.Cluster', { ...message, ...change(message) }),
      ),
      reason,
    );
  });
}

type Filter = Messages['envoy.extensions.filters.network.redis_proxy.v3.RedisProxy'];

/** The redis_proxy with other settings; and why its listener is refused. */
const REFUSED_FILTERS: readonly (readonly [
  what: string,
  change: (filter: Filter) => object,
  reason: RegExp,
])[] = [
  [
    'a policy of the future',
    ({ settings }) => ({ settings: { ...settings, read_policy: 99 } }),
    /^read_policy 99 is not known$/,
  ],
  ['no settings', () => ({ settings: null }), /^its redis_proxy has no settings$/],
  ['no timeout', () => ({ settings: {} }), /^its redis_proxy has no op_timeout$/],
  [
    'two passwords',
    () => ({ downstream_auth_passwords: [{ inline_string: 'a' }, { inline_string: 'b' }] }),
    /^it takes several passwords/,
  ],
  [
    'an empty password, which Envoy takes for none',
    () => ({ downstream_auth_passwords: [{ inline_string: '' }] }),
    /^its password is empty$/,
  ],
  [
    'a password in a file',
    () => ({ downstream_auth_passwords: [{ filename: '/password' }] }),
    /^its password is not inline$/,
  ],
  ['a route to nowhere', () => ({ prefix_routes: { catch_all_route: {} } }), /^a route names no cluster$/],
  [
    'a mirror to nowhere',
    () => ({ prefix_routes: { catch_all_route: { cluster: 'a', request_mirror_policy: [{}] } } }),
    /^a mirror names no cluster$/,
  ],
  [
    'a fault of the future',
    () => ({ faults: [{ fault_type: 7 }] }),
    /^(fault_type 7 is not known|its metadata tells of guards, which its first fault is not)$/,
  ],
];
for (const [what, change, reason] of REFUSED_FILTERS) {
  test(`refused: a listener with ${what}`, () => {
    assert.match(refusal(LISTENER_TYPE, 'l', listenerWith(change)), reason);
  });
}

test('refused: a listener that wants TLS, or another filter, from its clients', () => {
  const message = listenerMessage(bound, inMessage(reveal));
  const [chain] = message.filter_chains ?? [];
  const other = { name: 'x', typed_config: any('envoy.extensions.health_checkers.redis.v3.Redis', {}) };
  const refused = (filter_chains: object[]): string =>
    refusal(LISTENER_TYPE, 'l', encode('envoy.config.listener.v3.Listener', { ...message, filter_chains }));
  assert.match(refused([{ ...chain, transport_socket: { name: 'tls' } }]), /^it wants TLS from its clients$/);
  assert.match(
    refused([{ filters: [other, ...(chain?.filters ?? [])] }]),
    /^it has a filter envoy.extensions.* beside redis_proxy$/,
  );
  assert.match(refused([{ ...chain }, { ...chain }]), /^it has several filter chains/);
});

test('refused: settings that our messages do not have, at any depth', () => {
  // Field 100 of a listener, a varint.
  const listener = encode('envoy.config.listener.v3.Listener', listenerMessage(bound, inMessage(reveal)));
  const unknown = Buffer.from([0xa0, 0x06, 0x01]);
  const reason = /^it has settings that this redpilot does not know; upgrade it, or remove them$/;
  assert.match(refusal(LISTENER_TYPE, 'l', Buffer.concat([listener, unknown])), reason);
  assert.match(refusal(ENDPOINTS_TYPE, 'e', unknown), reason);
  assert.match(
    refusal(CLUSTER_TYPE, 'c', Buffer.from([0xff])),
    /^it is not an envoy.config.cluster.v3.Cluster$/,
  );
});

test('a listener without redis_proxy is no listener of ours, and no problem', () => {
  const received = new ReceivedPlan();
  const bytes = encode('envoy.config.listener.v3.Listener', {
    name: 'http',
    filter_chains: [{ filters: [] }],
  });
  assert.deepEqual([...received.apply(LISTENER_TYPE, [{ name: 'http', bytes }], [])], []);
  assert.deepEqual(received.plan().listeners, []);
});

test('what is refused leaves its last good version in force, and the others of the response are taken', () => {
  const received = taken(simple);
  const bad = listenerWith(() => ({ settings: null }));
  const good = encode('envoy.config.listener.v3.Listener', {
    ...listenerMessage(bound, inMessage(reveal)),
    name: 'second:1',
  });
  const id = bound.listener.id;
  const problems = received.apply(
    LISTENER_TYPE,
    [
      { name: id, bytes: bad },
      { name: 'second:1', bytes: good },
    ],
    [],
  );
  assert.deepEqual([...problems.keys()], [id]);
  const listeners = received.plan().listeners.map(({ listener }) => listener);
  assert.deepEqual(
    listeners.map(({ id: name }) => name),
    [id, 'second:1'],
  );
  assert.equal(listeners[0]?.readPolicy, 'REPLICA');
});

test('an upstream that says the same stays the same object, whichever of its encodings came', () => {
  const received = taken(simple);
  const before = received.plan().upstreams.get(upstream.id);
  const [resource] = snapshotOf(simple, undefined).get(CLUSTER_TYPE)?.list ?? [];
  received.apply(CLUSTER_TYPE, [{ name: upstream.id, bytes: resource?.initialBytes ?? Buffer.alloc(0) }], []);
  assert.equal(received.plan().upstreams.get(upstream.id), before);
});

test('a listener that says the same stays the same object, whatever else has come', () => {
  const received = taken(simple);
  const [before] = received.plan().listeners;
  const [listener] = snapshotOf(simple, undefined).get(LISTENER_TYPE)?.list ?? [];
  const [cluster] = snapshotOf(simple, undefined).get(CLUSTER_TYPE)?.list ?? [];
  assert.ok(before && listener && cluster);
  received.apply(CLUSTER_TYPE, [cluster], []);
  assert.equal(received.plan().listeners[0]?.listener, before.listener);
  received.apply(LISTENER_TYPE, [listener], []);
  assert.equal(received.plan().listeners[0]?.listener, before.listener);
});

test('another seed is another upstream', () => {
  const received = taken(simple);
  const other: ClusterUpstream = { ...upstream, seeds: [{ address: '127.0.0.2', port: 7_000 }] };
  const [resource] =
    snapshotOf({ ...simple, upstreams: new Map([[upstream.id, other]]) }, undefined).get(CLUSTER_TYPE)
      ?.list ?? [];
  assert.ok(resource);
  received.apply(CLUSTER_TYPE, [resource], []);
  assert.deepEqual(received.plan().upstreams.get(upstream.id), other);
});

test('a cluster whose endpoints are resources of their own waits for them, and goes on with what it had', async () => {
  const { plan } = await planOfCase('proxy-mode-endpoints');
  const snapshot = snapshotOf(plan, undefined);
  const [cluster] = snapshot.get(CLUSTER_TYPE)?.list ?? [];
  const [endpoints] = snapshot.get(ENDPOINTS_TYPE)?.list ?? [];
  assert.ok(cluster && endpoints);
  const received = new ReceivedPlan();
  received.apply(CLUSTER_TYPE, [cluster], []);
  assert.deepEqual(received.missingEndpoints(), [cluster.name]);
  assert.equal(received.plan().upstreams.size, 0);
  received.apply(ENDPOINTS_TYPE, [endpoints], []);
  assert.deepEqual(received.plan().upstreams.get(cluster.name), plan.upstreams.get(cluster.name));

  // Gone with their cluster, not before.
  received.apply(ENDPOINTS_TYPE, [], [cluster.name]);
  assert.deepEqual(received.plan().upstreams.get(cluster.name), plan.upstreams.get(cluster.name));
  received.apply(CLUSTER_TYPE, [], [cluster.name]);
  received.apply(CLUSTER_TYPE, [cluster], []);
  assert.deepEqual(received.missingEndpoints(), [cluster.name]);
});

test('endpoints that the server says there are none of are none', async () => {
  const { plan } = await planOfCase('proxy-mode-endpoints');
  const [cluster] = snapshotOf(plan, undefined).get(CLUSTER_TYPE)?.list ?? [];
  assert.ok(cluster);
  const received = new ReceivedPlan();
  received.apply(CLUSTER_TYPE, [cluster], []);
  received.apply(ENDPOINTS_TYPE, [], [cluster.name]);
  const found = received.plan().upstreams.get(cluster.name);
  assert.deepEqual(found?.mode === 'proxy' && found.servers, { kind: 'endpoints', endpoints: [] });
});

function taken(plan: RoutingPlan): ReceivedPlan {
  const received = new ReceivedPlan();
  const snapshot = snapshotOf(plan, undefined);
  for (const typeUrl of TYPE_URLS) received.apply(typeUrl, snapshot.get(typeUrl)?.list ?? [], []);
  return received;
}

function refusal(typeUrl: (typeof TYPE_URLS)[number], name: string, bytes: Uint8Array): string {
  const received = new ReceivedPlan();
  if (typeUrl === ENDPOINTS_TYPE) received.apply(CLUSTER_TYPE, [], []);
  return received.apply(typeUrl, [{ name, bytes }], []).get(name) ?? 'it was taken';
}

function listenerWith(change: (filter: Filter) => object): Buffer {
  assert.ok(bound);
  const message = listenerMessage(bound, inMessage(reveal));
  const packed = message.filter_chains?.[0]?.filters?.[0]?.typed_config as unknown as Filter;
  const typed_config = {
    ...packed,
    ...change(packed),
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy',
  };
  return encode('envoy.config.listener.v3.Listener', {
    ...message,
    filter_chains: [{ filters: [{ name: 'r', typed_config }] }],
  });
}
