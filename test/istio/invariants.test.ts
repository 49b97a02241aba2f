import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ConfigPatch, EnvoyFilterBody } from '../../src/istio/envoy-filter.ts';
import { violationsOf } from '../../src/istio/invariants.ts';
import { filtersOfCase, istioCaseNames } from '../golden/istio-case.ts';

const CLOSED = new Set(['redis-cluster.redis.svc.cluster.local:6379']);

/** For whose listener a password is asked. */
function closedIn(name: string): ReadonlySet<string> {
  return name.startsWith('password-') && name !== 'password-of-another-namespace' ? CLOSED : new Set();
}

for (const name of istioCaseNames()) {
  test(`${name}: what is written keeps every invariant`, async () => {
    const { bodies } = await filtersOfCase(name, String);
    assert.deepEqual(
      bodies.flatMap((body) => violationsOf(body, closedIn(name))),
      [],
    );
  });
}

async function bodyOf(name: string): Promise<EnvoyFilterBody> {
  const [body] = (await filtersOfCase(name, String)).bodies;
  assert.ok(body);
  return structuredClone(body);
}

/** Sets what stands at the path, or deletes it where the value is undefined. */
function edit(object: object, path: string, value: unknown): void {
  const [field = '', ...rest] = path.split('/');
  const map = object as Record<string, unknown>;
  if (rest.length > 0) {
    assert.ok(typeof map[field] === 'object' && map[field] !== null, `there is no ${path}`);
    edit(map[field], rest.join('/'), value);
  } else if (value === undefined) delete map[field];
  else map[field] = value;
}

const VALUE = 'patch/value';
const CATCH_ALL = `${VALUE}/typed_config/prefix_routes/catch_all_route`;
const OPTIONS = `${VALUE}/typed_extension_protocol_options/envoy.filters.network.redis_proxy`;

/** The first patch of that kind in what becomes of the case, changed in one place. */
const CASES: readonly [
  what: string,
  name: string,
  applyTo: ConfigPatch['applyTo'],
  path: string,
  value: unknown,
  expected: RegExp,
][] = [
  [
    'a MERGE of a Redis cluster over a cluster of istiod',
    'cluster-ip',
    'CLUSTER',
    'patch/operation',
    'MERGE',
    /CLUSTER MERGE is not ADD/,
  ],
  [
    'eds_cluster_config beside cluster_type',
    'cluster-ip',
    'CLUSTER',
    `${VALUE}/eds_cluster_config`,
    { eds_config: { ads: {} } },
    /both cluster_type and eds_cluster_config, which crashes Envoy/,
  ],
  [
    'a Redis Cluster that is waited for',
    'cluster-ip',
    'CLUSTER',
    `${VALUE}/wait_for_warm_on_init`,
    true,
    /wait_for_warm_on_init is not false/,
  ],
  [
    'a Redis Cluster that is waited for, as Envoy does where nothing is said',
    'cluster-ip',
    'CLUSTER',
    `${VALUE}/wait_for_warm_on_init`,
    undefined,
    /wait_for_warm_on_init is not false/,
  ],
  [
    "a cluster's name that may be istiod's",
    'cluster-ip',
    'CLUSTER',
    `${VALUE}/name`,
    'outbound|6379||redis-cluster.redis.svc.cluster.local',
    /cluster outbound\|.* is not a name of our own/,
  ],
  [
    "a listener's name that may be istiod's",
    'listen',
    'LISTENER',
    `${VALUE}/name`,
    '127.0.0.1_6379',
    /listener 127\.0\.0\.1_6379 is not a name of our own/,
  ],
  [
    'a cluster without endpoints',
    'plain-servers',
    'CLUSTER',
    `${VALUE}/load_assignment/endpoints`,
    [],
    /has no endpoint, where MULTI crashes Envoy/,
  ],
  [
    'a cluster whose endpoints istiod would say',
    'plain-servers',
    'CLUSTER',
    `${VALUE}/load_assignment`,
    undefined,
    /has no endpoint, where MULTI crashes Envoy/,
  ],
  [
    'a route to a cluster that is not there',
    'cluster-ip',
    'NETWORK_FILTER',
    `${CATCH_ALL}/cluster`,
    'x',
    /cluster x is routed to and not there/,
  ],
  [
    'a prefix of a cluster that is not there',
    'routing',
    'NETWORK_FILTER',
    `${VALUE}/typed_config/prefix_routes/routes/0/cluster`,
    'x',
    /cluster x is routed to and not there/,
  ],
  [
    'a mirror to a cluster that is not there',
    'mirror',
    'NETWORK_FILTER',
    `${CATCH_ALL}/request_mirror_policy/0/cluster`,
    'x',
    /cluster x is routed to and not there/,
  ],
  [
    'reads from a cluster that is not there',
    'reads',
    'NETWORK_FILTER',
    `${CATCH_ALL}/read_command_policy/cluster`,
    'x',
    /cluster x is routed to and not there/,
  ],
  [
    'a filter without typed_config',
    'cluster-ip',
    'NETWORK_FILTER',
    `${VALUE}/typed_config`,
    undefined,
    /envoy\.filters\.network\.redis_proxy has no typed_config/,
  ],
  [
    'a cluster type without typed_config',
    'cluster-ip',
    'CLUSTER',
    `${VALUE}/cluster_type/typed_config`,
    undefined,
    /envoy\.clusters\.redis has no typed_config/,
  ],
  [
    'a health check without typed_config',
    'cluster-ip',
    'CLUSTER',
    `${VALUE}/health_checks/0/custom_health_check/typed_config`,
    undefined,
    /envoy\.health_checkers\.redis has no typed_config/,
  ],
  [
    'TLS without typed_config',
    'tls',
    'CLUSTER',
    `${VALUE}/transport_socket/typed_config`,
    undefined,
    /envoy\.transport_sockets\.tls has no typed_config/,
  ],
  [
    'credentials without a type',
    'password-inline',
    'CLUSTER',
    `${OPTIONS}/@type`,
    undefined,
    /options of envoy\.filters\.network\.redis_proxy have no @type/,
  ],
  [
    'a filter of a listener of our own without typed_config',
    'listen',
    'LISTENER',
    `${VALUE}/filter_chains/0/filters/0/typed_config`,
    undefined,
    /envoy\.filters\.network\.redis_proxy has no typed_config/,
  ],
  [
    'an empty password of clients',
    'password-inline',
    'NETWORK_FILTER',
    `${VALUE}/typed_config/downstream_auth_passwords`,
    [{ inline_string: '' }],
    /downstream_auth_passwords is empty/,
  ],
  [
    'an empty password for Redis',
    'password-inline',
    'CLUSTER',
    `${OPTIONS}/auth_password`,
    { inline_string: ' ' },
    /auth_password is empty/,
  ],
  [
    'a password in a file without a name',
    'password-file',
    'CLUSTER',
    `${OPTIONS}/auth_password`,
    { filename: '' },
    /auth_password is empty/,
  ],
  [
    'an open filter where a password was asked for',
    'password-refused',
    'NETWORK_FILTER',
    `${VALUE}/typed_config/downstream_auth_username`,
    undefined,
    /is open, although a password was asked for/,
  ],
  [
    'a filter for more than outbound traffic',
    'cluster-ip',
    'NETWORK_FILTER',
    'match/context',
    'ANY',
    /NETWORK_FILTER for context ANY/,
  ],
  [
    'a filter for every listener',
    'cluster-ip',
    'NETWORK_FILTER',
    'match/listener/name',
    undefined,
    /NETWORK_FILTER for every listener/,
  ],
  [
    'a filter in the place of whatever is there',
    'cluster-ip',
    'NETWORK_FILTER',
    'match/listener/filterChain/filter/name',
    '',
    /NETWORK_FILTER for every filter/,
  ],
  [
    'a second terminal filter',
    'cluster-ip',
    'NETWORK_FILTER',
    'patch/operation',
    'INSERT_BEFORE',
    /NETWORK_FILTER INSERT_BEFORE is not REPLACE/,
  ],
  [
    'a filter without a time limit',
    'cluster-ip',
    'NETWORK_FILTER',
    `${VALUE}/typed_config/settings/op_timeout`,
    undefined,
    /has no settings\.op_timeout/,
  ],
  [
    'a filter without a name in the statistics',
    'cluster-ip',
    'NETWORK_FILTER',
    `${VALUE}/typed_config/stat_prefix`,
    '',
    /has no stat_prefix/,
  ],
  ...([15_000, 15_001, 15_090] as const).map((port): (typeof CASES)[number] => [
    `a listener on port ${port}, which is istio-proxy's`,
    'listen',
    'LISTENER',
    `${VALUE}/address/socket_address/port_value`,
    port,
    /redpilot_\S+ would listen on a port of istio-proxy's own \(15000 to 15090\); write another into redpilot\.dev\/listen/,
  ]),
  [
    'more than an object may hold, in whatever language',
    'cluster-ip',
    'CLUSTER',
    `${VALUE}/alt_stat_name`,
    '界'.repeat(400_000),
    /bytes are too many for one object/,
  ],
];
for (const [what, name, applyTo, path, value, expected] of CASES) {
  test(`${what} is refused`, async () => {
    const body = await bodyOf(name);
    const patch = body.spec.configPatches.find((one) => one.applyTo === applyTo);
    assert.ok(patch);
    edit(patch, path, value);
    assert.match(violationsOf(body, closedIn(name)).join('\n'), expected);
  });
}

test('one cluster twice is refused', async () => {
  const body = await bodyOf('cluster-ip');
  const { configPatches } = body.spec;
  const doubled = { ...body, spec: { ...body.spec, configPatches: [...configPatches, ...configPatches] } };
  assert.match(violationsOf(doubled, new Set()).join('\n'), /cluster redpilot\|.* is there twice/);
});

test('two listeners on one address are refused', async () => {
  const body = await bodyOf('listen');
  const { configPatches } = body.spec;
  const again = structuredClone(configPatches).filter(({ applyTo }) => applyTo === 'LISTENER');
  for (const patch of again) edit(patch, `${VALUE}/name`, 'redpilot_other');
  const doubled = { ...body, spec: { ...body.spec, configPatches: [...configPatches, ...again] } };
  assert.match(violationsOf(doubled, new Set()).join('\n'), /two listeners want/);
});
