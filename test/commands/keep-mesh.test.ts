import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { pino } from 'pino';
import { Registry } from 'prom-client';

import type { ApiObject, Kind, RedisService } from '../../src/api/objects.ts';
import { keepMesh } from '../../src/commands/keep-mesh.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { ISTIO_DEFAULTS } from '../../src/istio/envoy-filters.ts';
import { Planner } from '../../src/plan/planner.ts';
import type { KnownObject } from '../../src/sources/kubernetes/held-objects.ts';
import { World, type ObjectChanges } from '../../src/world/world.ts';
import { FilterStore } from '../mesh/filter-store.ts';
import { NO_ANNOTATIONS, redisService, service, slice } from '../plan/objects.ts';

const LISTEN = [{ of: undefined, address: '127.0.0.1', port: 6379 }];
const VIPS = { cache: '10.96.0.1', rival: '10.96.0.2' };

const at = (name: string, address: string): ApiObject =>
  service({ name, hasSelector: true, clusterIps: [address] });

/** Of the host of its name, listening on the same address as any other. */
function listening(name: string): RedisService {
  const annotations = { ...NO_ANNOTATIONS, listen: LISTEN };
  return redisService({ name, hosts: [name], rules: [], annotations });
}

interface Kept {
  readonly change: (changes: Partial<ObjectChanges>) => void;
  /** What could never be read, there or anywhere. */
  readonly guess: (kind: Kind | undefined, namespace?: string) => void;
  /** Names of RedisServices at the API server that can't be read. */
  readonly unread: Set<string>;
  /** Resolves once the EnvoyFilter of that object has that text somewhere, or is not there. */
  readonly has: (name: string, hint: RegExp | undefined, key?: string) => Promise<string>;
}

/** Closed when the test ends. */
function keep(t: TestContext, objects: readonly ApiObject[]): Kept {
  const api = new FilterStore();
  const planner = new Planner();
  const unread = new Set<string>();
  let guessed = (_kind: Kind, _namespace: string | undefined): boolean => false;
  let world = World.empty({ clusterDomain: 'cluster.local', completeNamespaces: 'all', withIstio: true });
  const apply = (changes: Partial<ObjectChanges>): void => {
    const next = world.apply({ set: [], deleted: [], ...changes });
    world = next.world;
    planner.update(world, next.changed);
  };
  apply({ set: objects });
  const known = (name: string): KnownObject => ({
    kind: 'RedisService',
    namespace: 'redis',
    name,
    uid: `of ${name}`,
    generation: 1,
    status: undefined,
    isLastGood: false,
    object: undefined,
  });
  const keeper = keepMesh({
    settings: { ...ISTIO_DEFAULTS, allowedNamespaces: ['shop'], drainMs: 50 },
    cluster: {
      api,
      guessed: (kind, namespace) => (guessed(kind, namespace) ? 'a test' : undefined),
      own: () => [...planner.plans().map(({ origin }) => origin.name), ...unread].map(known),
    },
    namespaces: [],
    controlPlane: 'redpilot',
    plans: () => planner.plans(),
    world: () => world,
    mayWrite: () => true,
    onChange: () => {},
    log: pino({ level: 'silent' }),
    metrics: new Registry(),
  });
  t.after(() => keeper.close());
  const textOf = (key: string): string => JSON.stringify(api.filters.get(key)?.spec) ?? '';
  return {
    unread,
    guess: (kind, there) => {
      guessed = (asked, namespace) =>
        asked === kind && (namespace === undefined || there === undefined || namespace === there);
      keeper.wake();
    },
    change: (changes) => {
      apply(changes);
      keeper.wake();
    },
    has: (name, hint, key = `redis/redpilot-${name}`) =>
      eventually(
        `${name} with ${String(hint)}`,
        () => {
          const text = textOf(key);
          return (hint === undefined ? text === '' : hint.test(text)) ? `${text}.` : undefined;
        },
        { deadlineMs: 30_000, seen: () => textOf(key) },
      ),
  };
}

const goes = (name: string): Partial<ObjectChanges> => ({
  deleted: [{ kind: 'RedisService', namespace: 'redis', name }],
});

test('an address that the EnvoyFilter of an object has which can not be read is given to nobody else', async (t) => {
  const { change, unread, has } = keep(t, [
    listening('cache'),
    at('cache', VIPS.cache),
    at('rival', VIPS.rival),
  ]);
  const before = await has('cache', /redpilot_127/);
  unread.add('cache');
  change({ ...goes('cache'), set: [listening('rival')] });
  assert.doesNotMatch(await has('rival', /10\.96\.0\.2_6379/), /redpilot_127/);
  assert.equal(await has('cache', /redpilot_127/), before);
  unread.delete('cache');
  change({});
  await has('rival', /redpilot_127/);
  await has('cache', undefined);
});

test("an address of a host that is another Service's by now is left to that", async (t) => {
  const { change, has } = keep(t, [listening('cache'), at('cache', VIPS.cache)]);
  await has('cache', /10\.96\.0\.1_6379/);
  const deleted = [{ kind: 'Service', namespace: 'redis', name: 'cache' }] as const;
  change({ deleted, set: [at('other', VIPS.cache)] });
  assert.doesNotMatch(await has('cache', /^((?!10\.96\.0\.1_6379).)+$/), /10\.96\.0\.1_6379/);
  await has('cache', /redpilot_127/);
});

test('without the RedisDestinations nothing is written anew, and nothing is taken away', async (t) => {
  const sessions = { ...listening('sessions'), annotations: NO_ANNOTATIONS };
  const { change, guess, has } = keep(t, [listening('cache'), at('cache', VIPS.cache), sessions]);
  const before = await has('cache', /redpilot_127/);
  guess('RedisDestination');
  change({ set: [{ ...listening('cache'), opTimeoutMs: 7_000 }, at('sessions', VIPS.rival)] });
  // A change of something else passes through all of it.
  const deleted = [{ kind: 'Service', namespace: 'redis', name: 'cache' }] as const;
  change({ deleted, set: [at('other', VIPS.cache)] });
  const stripped = await has('cache', /^((?!10\.96\.0\.1_6379).)+$/);
  assert.doesNotMatch(stripped, /"7s"/);
  await has('sessions', undefined);
  guess(undefined);
  await has('cache', /"7s"/);
  await has('sessions', /10\.96\.0\.2_6379/);
  assert.match(before, /"5s"/);
});

test('without the Services no place is taken for one that is lost', async (t) => {
  const { change, guess, has } = keep(t, [
    redisService({
      name: 'cache',
      hosts: ['cache'],
      rules: [],
      annotations: { ...NO_ANNOTATIONS, istioNamespaces: ['shop'] },
    }),
    at('cache', VIPS.cache),
    listening('rival'),
  ]);
  await has('cache', /10\.96\.0\.1_6379/, 'shop/redpilot.redis.cache');
  guess('Service');
  // A change of something else passes through all of it.
  const deleted = [{ kind: 'Service', namespace: 'redis', name: 'cache' }] as const;
  change({ deleted, set: [at('rival', VIPS.rival)] });
  await has('rival', /10\.96\.0\.2_6379/);
  await has('cache', /10\.96\.0\.1_6379/, 'shop/redpilot.redis.cache');
  guess(undefined);
  await has('cache', undefined, 'shop/redpilot.redis.cache');
  await has('cache', /10\.96\.0\.1_6379/);
});

test('without the Services of one namespace, the places of those of another are looked at all the same', async (t) => {
  const { change, guess, has } = keep(t, [listening('cache'), at('cache', VIPS.cache)]);
  await has('cache', /10\.96\.0\.1_6379/);
  guess('Service', 'elsewhere');
  const deleted = [{ kind: 'Service', namespace: 'redis', name: 'cache' }] as const;
  change({ deleted, set: [at('other', VIPS.cache)] });
  await has('cache', /^((?!10\.96\.0\.1_6379).)+$/);
});

test('without the EndpointSlices servers are not taken for gone', async (t) => {
  const cache = { ...listening('cache'), annotations: NO_ANNOTATIONS };
  const servers = slice(['10.0.0.1'], { serviceName: 'cache' });
  const { change, guess, has } = keep(t, [cache, at('cache', VIPS.cache), servers]);
  const before = await has('cache', /10\.0\.0\.1/);
  guess('EndpointSlice');
  // A change of something else passes through all of it.
  change({ deleted: [servers], set: [{ ...listening('other'), hosts: ['redis.example.com'] }] });
  await has('other', /redpilot_127/);
  assert.equal(await has('cache', /./), before);
  guess(undefined);
  await has('cache', /^((?!10\.0\.0\.1").)+$/);
});
