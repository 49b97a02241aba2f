import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ConfigPatch, EnvoyFilterBody } from '../../src/istio/envoy-filter.ts';
import { ISTIO_DEFAULTS } from '../../src/istio/envoy-filters.ts';
import { list, map, text, type Json } from '../../src/istio/loose-json.ts';
import { filtersOfCase, istioCaseNames } from '../golden/istio-case.ts';
import { filtersOf, recordedCases, recordingOf, type RecordedSidecar } from './recording.ts';

const REDIS_PROXY = 'envoy.filters.network.redis_proxy';
const TCP_PROXY = 'envoy.filters.network.tcp_proxy';

const bodiesOf = async (name: string): Promise<readonly EnvoyFilterBody[]> =>
  (await filtersOfCase(name, String)).bodies;

/** Of the EnvoyFilters that reach that sidecar, in the order in which istiod applies them. */
function patchesFor(bodies: readonly EnvoyFilterBody[], namespace: string): readonly ConfigPatch[] {
  const root = ISTIO_DEFAULTS.rootNamespace;
  const of = (wanted: string): readonly ConfigPatch[] =>
    bodies.filter(({ metadata }) => metadata.namespace === wanted).flatMap(({ spec }) => spec.configPatches);
  return [...of(root), ...of(namespace)];
}

/** What of a redis_proxy is compared: Envoy leaves defaults out of its dump. */
function essence(filter: Json): unknown {
  const proxy = map(filter['typed_config']);
  const routes = map(proxy['prefix_routes']);
  const route = (one: Json): unknown => [
    one['prefix'],
    one['cluster'],
    map(one['read_command_policy'])['cluster'],
    list(one['request_mirror_policy']).map(({ cluster }) => cluster),
  ];
  return {
    name: filter['name'],
    listener: proxy['stat_prefix'],
    readPolicy: map(proxy['settings'])['read_policy'] ?? 'MASTER',
    routes: list(routes['routes']).map(route),
    catchAll: route(map(routes['catch_all_route'])),
    faults: list(proxy['faults']).map(({ fault_type: type = 'DELAY', commands, delay }) => [
      type,
      commands,
      delay,
    ]),
    hasUser: proxy['downstream_auth_username'] !== undefined,
    passwords: list(proxy['downstream_auth_passwords']).map((source) => Object.keys(source)),
  };
}

function namesOf(patches: readonly ConfigPatch[], applyTo: ConfigPatch['applyTo']): readonly string[] {
  return patches
    .filter((patch) => patch.applyTo === applyTo)
    .map(({ patch }) => text(map(patch.value)['name']))
    .sort();
}

test('every golden case with EnvoyFilters has been given to a real istiod (npm run istio)', async () => {
  const recorded = recordedCases();
  const missing: string[] = [];
  for (const name of istioCaseNames()) {
    if ((await bodiesOf(name)).length > 0 && !recorded.includes(name)) missing.push(name);
  }
  assert.deepEqual(missing, []);
});

test("istiod's own filter for Redis was there in one of the two states", () => {
  const [sidecar] = recordingOf('cluster-ip').sidecars;
  assert.deepEqual(
    sidecar?.states.map(({ redisFilter, changed }) => [redisFilter, changed]),
    [
      [false, { '10.96.12.34_6379': [TCP_PROXY] }],
      [true, { '10.96.12.34_6379': [REDIS_PROXY] }],
    ],
  );
});

for (const name of recordedCases()) {
  for (const sidecar of recordingOf(name).sidecars) {
    const { namespace, clusters, listeners, states } = sidecar;
    const title = `${name}: a sidecar of ${namespace}`;

    test(`${title} takes it, with istiod's own filter for Redis and without`, () => {
      assert.deepEqual(
        states.map(({ redisFilter, isReady, refused }) => ({ redisFilter, isReady, refused })),
        [false, true].map((redisFilter) => ({ redisFilter, isReady: true, refused: [] })),
      );
    });

    test(`${title} has our clusters, and all that it had of istiod`, async () => {
      const patches = patchesFor(await bodiesOf(name), namespace);
      assert.deepEqual(Object.keys(clusters).sort(), namesOf(patches, 'CLUSTER'));
      assert.deepEqual(
        states.flatMap(({ lost }) => lost),
        [],
      );
    });

    test(`${title} carries out what is asked, in place of Istio's last filter`, async () => {
      const patches = patchesFor(await bodiesOf(name), namespace);
      for (const [listener, resource] of Object.entries(listeners)) {
        const wanted = wantedIn(patches, listener, resource);
        assert.ok(wanted, `${listener} was changed without being asked for`);
        const filters = filtersOf(resource);
        assert.deepEqual(essence(filters.at(-1) ?? {}), essence(wanted));
        for (const { changed } of states) {
          const before = changed[listener];
          // A listener of our own.
          if (before === undefined) continue;
          assert.ok([TCP_PROXY, REDIS_PROXY].includes(before.at(-1) ?? ''));
          assert.deepEqual(
            filters.map((filter) => filter['name']),
            [...before.slice(0, -1), REDIS_PROXY],
          );
        }
      }
    });

    test(`${title} meets every patch`, async () => {
      const patches = patchesFor(await bodiesOf(name), namespace);
      assert.deepEqual(unmet(patches, sidecar), []);
    });
  }
}

/** The last that replaces the listener's filter, or the filter of the listener that is added. */
function wantedIn(patches: readonly ConfigPatch[], listener: string, resource: Json): Json | undefined {
  const port = map(map(resource['address'])['socket_address'])['port_value'];
  const found = patches.flatMap(({ applyTo, match, patch }): readonly Json[] => {
    const value = map(patch.value);
    if (applyTo === 'LISTENER') return value['name'] === listener ? [...filtersOf(value)] : [];
    const { name, portNumber } = match.listener ?? {};
    return applyTo === 'NETWORK_FILTER' && (name === listener || (name === undefined && portNumber === port))
      ? [value]
      : [];
  });
  return found.at(-1);
}

/** Of several addresses of one host, a sidecar has one. */
function unmet(patches: readonly ConfigPatch[], { listeners, clusters }: RecordedSidecar): readonly string[] {
  const met = new Set(
    Object.entries(listeners).map(([name, resource]) => essenceText(wantedIn(patches, name, resource) ?? {})),
  );
  return patches.flatMap(({ applyTo, match, patch }) => {
    const value = map(patch.value);
    const name = text(value['name']);
    if (applyTo === 'CLUSTER') return clusters[name] === undefined ? [name] : [];
    if (applyTo === 'LISTENER') return listeners[name] === undefined ? [name] : [];
    const isOverruled = match.listener?.name !== undefined && listeners[match.listener.name] !== undefined;
    return isOverruled || met.has(essenceText(value)) ? [] : [JSON.stringify(match.listener)];
  });
}

function essenceText(filter: Json): string {
  return JSON.stringify(essence(filter));
}
