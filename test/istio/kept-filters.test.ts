import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ApiObject, RedisService } from '../../src/api/objects.ts';
import { SecretText } from '../../src/api/secret-text.ts';
import type { FilterRef } from '../../src/istio/envoy-filter.ts';
import {
  envoyFiltersOf,
  ISTIO_DEFAULTS,
  type EnvoyFilters,
  type IstioOptions,
} from '../../src/istio/envoy-filters.ts';
import { AddressHolders } from '../../src/plan/address-holders.ts';
import { Planner } from '../../src/plan/planner.ts';
import { World } from '../../src/world/world.ts';
import { NO_ANNOTATIONS, redisService, service, serviceEntry } from '../plan/objects.ts';

const VIP = '10.96.12.34';
const OTHERS = '10.96.12.35';
const OWN = 'redis/redpilot-cache';
const IN_SHOP = 'shop/redpilot.redis.cache';

const keyOf = ({ namespace, name }: FilterRef): string => `${namespace}/${name}`;

/** EnvoyFilters that follow what changes. */
class Mesh {
  #world = World.empty({ clusterDomain: 'cluster.local', completeNamespaces: 'all' });
  readonly #planner = new Planner();
  readonly there = new Map<string, unknown>();

  /** All that is given is set; texts are Services that go, by name. */
  follow(
    changes: readonly (ApiObject | string)[],
    options: Partial<IstioOptions> & { readonly unplanned?: string } = {},
  ): EnvoyFilters {
    const set = changes.filter((change) => typeof change !== 'string');
    const deleted = changes.flatMap((name) =>
      typeof name === 'string' ? [{ kind: 'Service', namespace: 'redis', name } as const] : [],
    );
    const next = this.#world.apply({ set, deleted });
    this.#world = next.world;
    this.#planner.update(next.world, next.changed);
    const planned = this.#planner.plans().filter(({ origin }) => origin.name !== options.unplanned);
    const filters = envoyFiltersOf(planned, {
      ...ISTIO_DEFAULTS,
      allowedNamespaces: ['shop'],
      write: (text: SecretText) => text.reveal(),
      present: (filter) => this.there.get(keyOf(filter)),
      holders: new AddressHolders(next.world, () => false),
      ...options,
    });
    for (const document of filters.write) this.there.set(keyOf(document), document.body.spec);
    const left = new Set([...filters.write, ...filters.keep].map(keyOf));
    for (const key of this.there.keys()) if (!left.has(key)) this.there.delete(key);
    return filters;
  }

  /** Names of Istio's listeners and our own that each EnvoyFilter has. */
  places(): Readonly<Record<string, string>> {
    const entries = [...this.there].map(([key, spec]) => {
      const text = JSON.stringify(spec);
      const names = [...text.matchAll(/"(?:listener":\{"name|name)":"((?:redpilot_)?[\d.]+_\d+)"/g)];
      return [key, [...new Set(names.map(([, name]) => name))].join(' ')] as const;
    });
    return Object.fromEntries(entries);
  }
}

const at = (name: string, address: string): ApiObject =>
  service({ name, hasSelector: true, clusterIps: [address] });

function asking(
  fields: Partial<RedisService>,
  annotations: Partial<RedisService['annotations']> = {},
): RedisService {
  return redisService({
    name: 'cache',
    hosts: ['cache'],
    rules: [],
    annotations: { ...NO_ANNOTATIONS, ...annotations },
    ...fields,
  });
}

const EVERYWHERE = asking({}, { istioNamespaces: ['shop'] });
const BOTH = { [OWN]: `${VIP}_6379`, [IN_SHOP]: `${VIP}_6379` };

/** What became of a host that had an address, where the Service of another may have it then. */
const cases: readonly (readonly [
  what: string,
  changes: readonly (ApiObject | string)[],
  expected: Readonly<Record<string, string>>,
])[] = [
  ['whose Service is gone keeps its place in its own namespace only', ['cache'], { [OWN]: `${VIP}_6379` }],
  [
    'that has become headless keeps its place in its own namespace only',
    [service({ name: 'cache', hasSelector: true, isHeadless: true })],
    { [OWN]: `${VIP}_6379` },
  ],
  ['whose address another Service has now has no place', ['cache', at('other', VIP)], {}],
  [
    'that has become headless and whose address another Service has now has no place',
    [service({ name: 'cache', hasSelector: true, isHeadless: true }), at('other', VIP)],
    {},
  ],
  [
    'whose address has changed moves',
    [at('cache', OTHERS), at('other', VIP)],
    {
      [OWN]: `${OTHERS}_6379`,
      [IN_SHOP]: `${OTHERS}_6379`,
    },
  ],
  ['is not troubled by the addresses of others', [at('other', OTHERS)], BOTH],
];

for (const [what, changes, expected] of cases) {
  test(`a host ${what}`, () => {
    const mesh = new Mesh();
    mesh.follow([EVERYWHERE, at('cache', VIP)]);
    assert.deepEqual(mesh.places(), BOTH);
    mesh.follow(changes);
    assert.deepEqual(mesh.places(), expected);
    mesh.follow([]);
    assert.deepEqual(mesh.places(), expected, 'at the next look');
  });
}

test('after its Service is back a host has its places again', () => {
  const mesh = new Mesh();
  mesh.follow([EVERYWHERE, at('cache', VIP)]);
  mesh.follow(['cache', at('other', VIP)]);
  mesh.follow([at('cache', OTHERS)]);
  assert.deepEqual(mesh.places(), { [OWN]: `${OTHERS}_6379`, [IN_SHOP]: `${OTHERS}_6379` });
});

test('of several hosts only the one whose address is lost has none', () => {
  const mesh = new Mesh();
  mesh.follow([asking({ hosts: ['cache', 'sessions'] }), at('cache', VIP), at('sessions', OTHERS)]);
  assert.deepEqual(mesh.places(), { [OWN]: `${VIP}_6379 ${OTHERS}_6379` });
  mesh.follow(['cache', at('other', VIP)]);
  assert.deepEqual(mesh.places(), { [OWN]: `${OTHERS}_6379` });
});

test("a place that is kept is not kept where another object's host has it", () => {
  const mesh = new Mesh();
  const entry = serviceEntry({ addresses: [VIP] });
  mesh.follow([asking({}), at('cache', VIP)]);
  mesh.follow([
    service({ name: 'cache', isHeadless: true }),
    entry,
    asking({ name: 'outside', hosts: ['redis.example.com'] }),
  ]);
  assert.deepEqual(mesh.places(), { 'redis/redpilot-outside': `${VIP}_6379` });
});

test('a host whose Service is gone does not take its whole port instead', () => {
  const mesh = new Mesh();
  mesh.follow([asking({}, { istioPortWide: true }), at('cache', VIP)]);
  mesh.follow(['cache', at('other', VIP)]);
  assert.deepEqual(mesh.places(), {});
});

const UNREAD = {
  unread: [OWN, IN_SHOP].map((key) => {
    const [namespace = '', name = ''] = key.split('/');
    return { namespace, name, owner: { kind: 'RedisService', namespace: 'redis', name: 'cache' } };
  }),
  unplanned: 'cache',
} as const;

test('what is of an object that can not be read stays', () => {
  const mesh = new Mesh();
  mesh.follow([EVERYWHERE, at('cache', VIP)]);
  const { write, keep } = mesh.follow([], UNREAD);
  assert.deepEqual(write, []);
  assert.deepEqual(
    keep.map(({ why, ...filter }) => `${keyOf(filter)}: ${why}`),
    [OWN, IN_SHOP].map((key) => `${key}: its object, or what belongs to it, can't be read`),
  );
});

test("and loses what is another Service's by now, but not the address to listen on that it holds", () => {
  const mesh = new Mesh();
  const listen = [{ of: undefined, address: '127.0.0.1', port: 6379 }];
  mesh.follow([asking({}, { listen, istioNamespaces: ['shop'] }), at('cache', VIP)]);
  const rival = asking({ name: 'rival', hosts: ['sessions'] }, { listen });
  mesh.follow(['cache', at('other', VIP), rival, at('sessions', OTHERS)], UNREAD);
  const listens = 'redpilot_127.0.0.1_6379';
  assert.deepEqual(mesh.places(), {
    [OWN]: listens,
    [IN_SHOP]: listens,
    'redis/redpilot-rival': `${OTHERS}_6379`,
  });
});

test('and goes where the administrator does not allow it any more', () => {
  const mesh = new Mesh();
  mesh.follow([EVERYWHERE, at('cache', VIP)]);
  mesh.follow([], { ...UNREAD, allowedNamespaces: [] });
  assert.deepEqual(mesh.places(), { [OWN]: `${VIP}_6379` });
});

test("an address that a ServiceEntry says is that of a Service is its host's as long as it says so", () => {
  const mesh = new Mesh();
  mesh.follow([
    asking({ hosts: ['redis.example.com'] }),
    serviceEntry({ addresses: [VIP] }),
    at('other', VIP),
  ]);
  mesh.follow([], UNREAD);
  assert.deepEqual(mesh.places(), { [OWN]: `${VIP}_6379` });
});

test('one that has clusters alone is just going, and is not kept', () => {
  const mesh = new Mesh();
  mesh.follow([EVERYWHERE, at('cache', VIP)]);
  for (const [key, spec] of mesh.there) {
    const { configPatches } = spec as { readonly configPatches: readonly { readonly applyTo: string }[] };
    mesh.there.set(key, { configPatches: configPatches.filter(({ applyTo }) => applyTo === 'CLUSTER') });
  }
  assert.deepEqual(mesh.follow(['cache']).keep, []);
});
