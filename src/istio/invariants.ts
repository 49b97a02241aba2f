/**
 * What every EnvoyFilter must keep to before it is written.
 *
 * Nobody else looks: istiod checks only whether values decode, and what Envoy refuses keeps new pods of the whole namespace
 * from starting, what crashes it stops the running ones. So the finished body is read here once more, as what it is, and
 * not as what the code that made it meant.
 */
import type { ConfigPatch, EnvoyFilterBody } from './envoy-filter.ts';
import { list, map, text, type Json } from './loose-json.ts';
import { OWN_CLUSTERS, OWN_LISTENERS } from './patches.ts';

/** The API server takes no larger object; etcd's limit is 1.5 MiB. */
const LARGEST_BYTES = 1_000_000;

/** Its interception, metrics, health and administration, the first and the last. */
const PROXYS_PORTS = [15_000, 15_090] as const;

interface Check {
  /** What must be so. */
  readonly name: string;
  /** Each a clause that says what is not so. */
  readonly find: (body: Readable) => readonly string[];
}

interface Readable {
  readonly body: EnvoyFilterBody;
  readonly patches: readonly Json[];
  readonly clusters: readonly Json[];
  readonly proxies: readonly Json[];
  readonly listeners: readonly Json[];
  readonly closed: ReadonlySet<string>;
}

/** `closed`: names (stat_prefix) of the listeners for which a password was asked. Empty where all is well. */
export function violationsOf(body: EnvoyFilterBody, closed: ReadonlySet<string>): readonly string[] {
  const patches = list(body.spec.configPatches);
  const listeners = valuesOf(patches, 'LISTENER');
  const readable = {
    body,
    patches,
    clusters: valuesOf(patches, 'CLUSTER'),
    proxies: proxiesIn(patches),
    listeners,
    closed,
  };
  return CHECKS.flatMap(({ find }) => find(readable));
}

/** The redis_proxy filters, in Istio's listeners and our own. */
export function proxiesIn(patches: readonly Json[]): readonly Json[] {
  const filters = [
    ...valuesOf(patches, 'NETWORK_FILTER'),
    ...valuesOf(patches, 'LISTENER').flatMap(filtersOf),
  ];
  return filters.map((filter) => map(filter['typed_config']));
}

function valuesOf(patches: readonly Json[], applyTo: ConfigPatch['applyTo']): readonly Json[] {
  return patches.filter((patch) => patch['applyTo'] === applyTo).map(({ patch }) => map(map(patch)['value']));
}

const CHECKS: readonly Check[] = [
  {
    name: 'patches touch outbound traffic of sidecars, add clusters and listeners, and replace filters',
    find: ({ patches }) => patches.flatMap(patchProblems),
  },
  {
    name: 'clusters and listeners have names of our own, each once',
    find: ({ clusters, listeners }) => [
      ...namesProblems('cluster', clusters, OWN_CLUSTERS),
      ...namesProblems('listener', listeners, OWN_LISTENERS),
      ...twice(listeners.map(({ address }) => JSON.stringify(address))).map(
        (address) => `two listeners want ${address}`,
      ),
    ],
  },
  {
    name: 'no eds_cluster_config beside cluster_type',
    find: ({ clusters }) =>
      clusters
        .filter(
          (cluster) => cluster['cluster_type'] !== undefined && cluster['eds_cluster_config'] !== undefined,
        )
        .map(
          (cluster) =>
            `cluster ${text(cluster['name'])} has both cluster_type and eds_cluster_config, which crashes Envoy`,
        ),
  },
  {
    name: 'a Redis Cluster that is down keeps no listener of a starting sidecar closed',
    find: ({ clusters }) =>
      clusters
        .filter(
          (cluster) => cluster['cluster_type'] !== undefined && cluster['wait_for_warm_on_init'] !== false,
        )
        .map(
          (cluster) => `cluster ${text(cluster['name'])} is waited for: wait_for_warm_on_init is not false`,
        ),
  },
  {
    name: 'every cluster has endpoints of its own',
    find: ({ clusters }) =>
      clusters
        .filter((cluster) => endpointCount(cluster) === 0)
        .map((cluster) => `cluster ${text(cluster['name'])} has no endpoint, where MULTI crashes Envoy`),
  },
  {
    name: 'every routed cluster is there',
    find: ({ proxies, clusters }) => {
      const known = new Set(clusters.map(({ name }) => name));
      return [...new Set(proxies.flatMap(routedClusters))]
        .filter((name) => !known.has(name))
        .map((name) => `cluster ${text(name)} is routed to and not there, where MULTI crashes Envoy`);
    },
  },
  {
    name: 'typed_config on every extension',
    find: ({ patches }) =>
      patches.flatMap(({ patch, applyTo }) =>
        untyped(map(patch)['value'], applyTo === 'NETWORK_FILTER' ? 'filter' : undefined),
      ),
  },
  {
    name: 'no empty password',
    find: ({ patches }) => patches.flatMap(({ patch }) => emptySources(map(patch)['value'], '')),
  },
  {
    name: 'where a password was asked for, nobody gets in without',
    find: ({ proxies, closed }) =>
      proxies
        .filter((proxy) => closed.has(text(proxy['stat_prefix'])) && isOpen(proxy))
        .map((proxy) => `${text(proxy['stat_prefix'])} is open, although a password was asked for`),
  },
  {
    name: 'every redis_proxy has its required fields',
    find: ({ proxies }) =>
      proxies.flatMap((proxy) => {
        const name = text(proxy['stat_prefix']);
        const missing = [
          ...(name === '' ? ['stat_prefix'] : []),
          ...(map(proxy['settings'])['op_timeout'] === undefined ? ['settings.op_timeout'] : []),
        ];
        return missing.map((field) => `redis_proxy ${name} has no ${field}`);
      }),
  },
  {
    name: "no listener on a port of istio-proxy's own",
    find: ({ listeners }) =>
      listeners.filter(isOnProxysPort).map((listener) => {
        const [first, last] = PROXYS_PORTS;
        return `${text(listener['name'])} would listen on a port of istio-proxy's own (${first} to ${last}); write another into redpilot.dev/listen`;
      }),
  },
  {
    name: 'it is small enough to be stored',
    find: ({ body }) => {
      const size = Buffer.byteLength(JSON.stringify(body));
      return size > LARGEST_BYTES ? [`${size} bytes are too many for one object`] : [];
    },
  },
];

function patchProblems(patch: Json): readonly string[] {
  const applyTo = text(patch['applyTo']);
  const operation = text(map(patch['patch'])['operation']);
  const match = map(patch['match']);
  const listener = map(match['listener']);
  const problems: string[] = [];
  const expected = applyTo === 'NETWORK_FILTER' ? 'REPLACE' : 'ADD';
  if (operation !== expected) {
    problems.push(`${applyTo} ${operation} is not ${expected}, the only one that changes nothing of Istio's`);
  }
  if (match['context'] !== 'SIDECAR_OUTBOUND')
    problems.push(`${applyTo} for context ${text(match['context'])}`);
  if (applyTo !== 'NETWORK_FILTER') return problems;
  if (text(listener['name']) === '' && listener['portNumber'] === undefined) {
    problems.push('NETWORK_FILTER for every listener of the sidecar');
  }
  if (text(map(map(listener['filterChain'])['filter'])['name']) === '') {
    problems.push('NETWORK_FILTER for every filter of a listener');
  }
  return problems;
}

function namesProblems(what: string, values: readonly Json[], prefix: string): readonly string[] {
  const names = values.map(({ name }) => text(name));
  return [
    ...names
      .filter((name) => !name.startsWith(prefix))
      .map((name) => `${what} ${name} is not a name of our own`),
    ...twice(names).map((name) => `${what} ${name} is there twice, which Envoy refuses`),
  ];
}

function twice(names: readonly string[]): readonly string[] {
  return [...new Set(names.filter((name, at) => names.indexOf(name) !== at))];
}

function isOnProxysPort(listener: Json): boolean {
  const port = map(map(listener['address'])['socket_address'])['port_value'];
  return typeof port === 'number' && port >= PROXYS_PORTS[0] && port <= PROXYS_PORTS[1];
}

function endpointCount(cluster: Json): number {
  return list(map(cluster['load_assignment'])['endpoints']).flatMap((group) => list(group['lb_endpoints']))
    .length;
}

function filtersOf(listener: Json): readonly Json[] {
  return list(listener['filter_chains']).flatMap((chain) => list(chain['filters']));
}

export function routedClusters(proxy: Json): readonly unknown[] {
  const routes = map(proxy['prefix_routes']);
  const catchAll = routes['catch_all_route'];
  const all = [...list(routes['routes']), ...(catchAll === undefined ? [] : [map(catchAll)])];
  return all.flatMap((route) => [
    route['cluster'],
    ...(route['read_command_policy'] === undefined ? [] : [map(route['read_command_policy'])['cluster']]),
    ...list(route['request_mirror_policy']).map(({ cluster }) => cluster),
  ]);
}

/** Names of extensions, by the field that holds them. */
const EXTENSIONS = new Set(['filters', 'cluster_type', 'transport_socket', 'custom_health_check']);

/** `field`: in which the value stands. */
function untyped(value: unknown, field: string | undefined): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item) => untyped(item, field));
  if (typeof value !== 'object' || value === null) return [];
  const fields = map(value);
  const isExtension = field !== undefined && (EXTENSIONS.has(field) || field === 'filter');
  const own =
    isExtension && !isTyped(fields['typed_config']) ? [`${text(fields['name'])} has no typed_config`] : [];
  const options = Object.entries(map(fields['typed_extension_protocol_options']))
    .filter(([, option]) => !isTyped(option))
    .map(([name]) => `options of ${name} have no @type`);
  return [...own, ...options, ...Object.entries(fields).flatMap(([name, inner]) => untyped(inner, name))];
}

function isTyped(value: unknown): boolean {
  return text(map(value)['@type']) !== '';
}

/** Envoy takes an empty password for none, and lets everybody in. */
function emptySources(value: unknown, path: string): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item) => emptySources(item, path));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const isSource = name === 'inline_string' || name === 'inline_bytes' || name === 'filename';
    if (isSource && text(inner).trim() === '') return [`${path} is empty, which Envoy takes for no password`];
    return emptySources(inner, isSource ? path : name);
  });
}

function isOpen(proxy: Json): boolean {
  const passwords = list(proxy['downstream_auth_passwords']);
  const hasUser = proxy['downstream_auth_username'] !== undefined;
  return passwords.length === 0 && !hasUser;
}
