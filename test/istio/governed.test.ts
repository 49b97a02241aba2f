import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ApiObject, RedisService } from '../../src/api/objects.ts';
import type { EnvoyFilters } from '../../src/istio/envoy-filters.ts';
import { NO_ANNOTATIONS, redisService, service, serviceEntry } from '../plan/objects.ts';
import { filtersOf } from './plans.ts';

const VIP = '10.96.12.34';
const LISTEN = [{ of: undefined, address: '127.0.0.1', port: 6379 }];

function asking(
  namespace: string,
  hosts: readonly string[],
  annotations: Partial<RedisService['annotations']> = {},
  fields: Partial<RedisService> = {},
): RedisService {
  return redisService({
    namespace,
    name: `of-${namespace}`,
    hosts,
    rules: [],
    annotations: { ...NO_ANNOTATIONS, ...annotations },
    ...fields,
  });
}

/** `EnvoyFilter: what of the sidecar it takes`, each filter once. */
function takenBy({ write }: EnvoyFilters): readonly string[] {
  return write.map(({ namespace, name, body }) => {
    const places = body.spec.configPatches.flatMap(({ applyTo, match, patch }) =>
      applyTo === 'LISTENER'
        ? [(patch.value as { name: string }).name]
        : [match.listener?.name ?? match.listener?.portNumber].filter((place) => place !== undefined),
    );
    return `${namespace}/${name}: ${[...new Set(places)].join(' ')}`;
  });
}

function told({ diagnostics }: EnvoyFilters): readonly string[] {
  return diagnostics.map(({ reason, object, path }) => `${object?.namespace} ${reason} ${path.at(-1)}`);
}

const ALLOWED = { allowedNamespaces: ['shop'] };
const service6379 = (namespace: string, name: string, address: string): ApiObject =>
  service({ namespace, name, hasSelector: true, clusterIps: [address] });

test('in another namespace no address is taken that a ServiceEntry names, which may be the address of anything', () => {
  const objects = [
    asking('evil', ['redis.example.com'], { istioNamespaces: ['shop'] }),
    serviceEntry({ namespace: 'evil', addresses: [VIP] }),
    service6379('shop', 'database', VIP),
  ];
  const filters = filtersOf(objects, ALLOWED);
  assert.deepEqual(takenBy(filters), [`evil/redpilot-of-evil: ${VIP}_6379`]);
  assert.deepEqual(told(filters), ['evil NamespaceNotAllowed host']);
  assert.match(filters.diagnostics[0]?.message ?? '', /write an object for it in shop, a Service with a/);
});

test('what was refused is not kept either', () => {
  const asked = asking('evil', ['redis.example.com'], { istioNamespaces: ['shop'] });
  const entry = serviceEntry({ namespace: 'evil', addresses: [VIP] });
  const { keep } = filtersOf([asked, entry], { ...ALLOWED, present: () => ({ configPatches: [] }) });
  assert.deepEqual(keep, []);
});

test("an address of a host is the namespace's own object's, before an older one's of elsewhere", () => {
  const objects = [
    asking('redis', ['cache'], { istioNamespaces: ['shop'] }, { createdMs: 1 }),
    service6379('redis', 'cache', VIP),
    asking('shop', ['redis.example.com'], {}, { createdMs: 2 }),
    serviceEntry({ namespace: 'shop', addresses: [VIP] }),
  ];
  const filters = filtersOf(objects, ALLOWED);
  assert.deepEqual(takenBy(filters), [
    `redis/redpilot-of-redis: ${VIP}_6379`,
    `shop/redpilot-of-shop: ${VIP}_6379`,
  ]);
  assert.deepEqual(told(filters), ['redis AddressConflict host']);
});

test('of two hosts with one address in one namespace the older object has it', () => {
  const objects = [
    asking('shop', ['a.example.com'], {}, { name: 'old', createdMs: 1 }),
    asking('shop', ['b.example.com'], {}, { name: 'young', createdMs: 2 }),
    serviceEntry({ namespace: 'shop', hosts: ['a.example.com', 'b.example.com'], addresses: [VIP] }),
  ];
  const filters = filtersOf(objects);
  assert.deepEqual(takenBy(filters), [`shop/redpilot-old: ${VIP}_6379`]);
  assert.deepEqual(told(filters), ['shop AddressConflict host']);
});

test("a whole port is taken in the object's own namespace only", () => {
  const annotations = { istioNamespaces: ['shop'], istioPortWide: true };
  const pods = service({ name: 'pods', isHeadless: true, hasSelector: true });
  const filters = filtersOf([asking('redis', ['pods'], annotations), pods], ALLOWED);
  assert.deepEqual(takenBy(filters), ['redis/redpilot-of-redis: 6379']);
  assert.ok(told(filters).includes('redis NamespaceNotAllowed redpilot.dev/istio-port-wide'));
});

test("an address to listen on is the namespace's own object's, before an older one's of elsewhere", () => {
  const objects = [
    asking('redis', ['cache'], { istioNamespaces: ['shop'], listen: LISTEN }, { createdMs: 1 }),
    service6379('redis', 'cache', VIP),
    asking('shop', ['sessions'], { listen: LISTEN }, { createdMs: 2 }),
    service6379('shop', 'sessions', '10.96.12.35'),
  ];
  const filters = filtersOf(objects, ALLOWED);
  assert.deepEqual(takenBy(filters), [
    `redis/redpilot-of-redis: ${VIP}_6379 redpilot_127.0.0.1_6379`,
    'shop/redpilot-of-shop: 10.96.12.35_6379 redpilot_127.0.0.1_6379',
    `shop/redpilot.redis.of-redis: ${VIP}_6379`,
  ]);
  assert.deepEqual(told(filters), ['redis AddressConflict redpilot.dev/listen']);
});

const SESSIONS = [
  asking('shop', ['sessions'], { listen: LISTEN }),
  service6379('shop', 'sessions', '10.96.12.35'),
];

for (const [namespace, name, isTaken] of [
  ['shop', 'unread', true],
  ['istio-system', 'unread', true],
  ['pay', 'unread', false],
  ['shop', 'of-shop', false],
] as const) {
  test(`an address that an EnvoyFilter of shop/${name} in ${namespace} has is ${isTaken ? 'not given' : 'free'}`, () => {
    const owner = { kind: 'RedisService', namespace: 'shop', name };
    const value = { address: { socket_address: { address: '127.0.0.1', port_value: 6379 } } };
    const filters = filtersOf(SESSIONS, {
      allowedNamespaces: ['*'],
      unread: [{ namespace, name: 'one', owner }],
      present: (filter) =>
        filter.name === 'one' ? { configPatches: [{ applyTo: 'LISTENER', patch: { value } }] } : undefined,
    });
    assert.equal(takenBy(filters)[0]?.includes('redpilot_127.0.0.1_6379'), !isTaken);
  });
}

test('an address of an EnvoyFilter that is kept is given to nobody else', () => {
  const before = asking('shop', ['cache'], { listen: LISTEN }, { name: 'broken' });
  const cache = service6379('shop', 'cache', VIP);
  const spec = filtersOf([before, cache]).write[0]?.body.spec;
  const broken = { ...before, hosts: ['cache', 'cache'], annotations: NO_ANNOTATIONS };
  const filters = filtersOf([broken, cache, ...SESSIONS], {
    present: ({ name }) => (name === 'redpilot-broken' ? spec : undefined),
  });
  assert.deepEqual(takenBy(filters), ['shop/redpilot-of-shop: 10.96.12.35_6379']);
  assert.match(
    filters.diagnostics.map(({ message }) => message).join('\n'),
    /127\.0\.0\.1:6379 is taken by RedisService shop\/broken for cache\.shop\.svc\.cluster\.local:6379/,
  );
});
