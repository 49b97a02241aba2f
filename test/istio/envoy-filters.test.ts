import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ApiObject, RedisService } from '../../src/api/objects.ts';
import { SecretText } from '../../src/api/secret-text.ts';
import type { EnvoyFilterBody } from '../../src/istio/envoy-filter.ts';
import { envoyFiltersOf, ISTIO_DEFAULTS, type EnvoyFilters } from '../../src/istio/envoy-filters.ts';
import { NO_ANNOTATIONS, redisDestination, redisService, secret, service } from '../plan/objects.ts';
import { filtersOf, plansOf } from './plans.ts';

const VIP = '10.96.12.34';
const CLUSTER = redisDestination({ mode: 'CLUSTER' });

function asking(
  annotations: Partial<RedisService['annotations']>,
  fields: Partial<RedisService> = {},
): RedisService {
  return redisService({ ...fields, annotations: { ...NO_ANNOTATIONS, ...annotations } });
}

function withAddress(...clusterIps: string[]): ApiObject {
  return service({ hasSelector: true, clusterIps });
}

function namesOf({ write }: EnvoyFilters): readonly string[] {
  return write.map(({ namespace, name }) => `${namespace}/${name}`);
}

function matchesOf(body: EnvoyFilterBody | undefined): readonly (string | number | undefined)[] {
  const all = (body?.spec.configPatches ?? []).map(
    ({ match }) => match.listener?.name ?? match.listener?.portNumber,
  );
  return [...new Set(all)].filter((match) => match !== undefined);
}

function addressesOf(body: EnvoyFilterBody | undefined): readonly string[] {
  return (body?.spec.configPatches ?? [])
    .filter(({ applyTo }) => applyTo === 'LISTENER')
    .map(({ patch }) => (patch.value as { name: string }).name);
}

test('the order in which objects came makes no difference to a byte', () => {
  const objects = [
    redisService({ hosts: ['redis-cluster', 'b', 'a'], rules: [] }),
    withAddress(VIP),
    service({ name: 'a', clusterIps: ['10.96.12.35'] }),
    service({ name: 'b', clusterIps: ['10.96.12.36'] }),
    redisService({ name: 'other', namespace: 'shop', hosts: ['a.redis'], rules: [] }),
    CLUSTER,
  ];
  assert.equal(JSON.stringify(filtersOf(objects)), JSON.stringify(filtersOf(objects.toReversed())));
});

test('a host that had an address keeps its place while it has none, with what is asked of it now', () => {
  const before = filtersOf([redisService({ readPolicy: 'REPLICA' }), withAddress(VIP), CLUSTER]);
  const present = (): unknown => before.write[0]?.body.spec;
  const asked = redisService({
    auth: { kind: 'plain', username: undefined, password: new SecretText('pw') },
  });
  const after = filtersOf([asked, service({ hasSelector: true, isHeadless: true }), CLUSTER], { present });
  assert.deepEqual(matchesOf(after.write[0]?.body), [`${VIP}_6379`]);
  assert.match(
    JSON.stringify(after.write[0]?.body),
    /"downstream_auth_passwords":\[\{"inline_string":"pw"\}\]/,
  );
  assert.match(
    after.diagnostics.map(({ message }) => message).join(),
    /until then sidecars keep what they have/,
  );
});

for (const [what, spec] of [
  ['nothing', undefined],
  [
    'nonsense',
    { configPatches: [null, 1, { match: 'x' }, { match: { listener: { name: 'y' } }, patch: {} }] },
  ],
  ['what is no object', 'text'],
] as const) {
  test(`a host without an address of which ${what} is there stays as it is`, () => {
    const objects = [redisService(), service({ isHeadless: true }), CLUSTER];
    const { write, keep } = filtersOf(objects, { present: () => spec });
    assert.deepEqual(write, []);
    assert.deepEqual(
      keep.map(({ namespace, name }) => `${namespace}/${name}`),
      ['redis/redpilot-redis-cluster'],
    );
  });
}

test('an object that can not be put in force keeps its EnvoyFilters in all its namespaces', () => {
  const broken = asking({ istioNamespaces: ['shop'] }, { hosts: ['redis-cluster', 'redis-cluster'] });
  const { write, keep } = filtersOf([broken, withAddress(VIP), CLUSTER], { allowedNamespaces: ['shop'] });
  assert.deepEqual(write, []);
  assert.deepEqual(
    keep.map(({ namespace, name }) => `${namespace}/${name}`),
    ['redis/redpilot-redis-cluster', 'shop/redpilot.redis.redis-cluster'],
  );
});

test('what would harm sidecars is not written, and told', () => {
  const rules = Array.from({ length: 12_000 }, (_, at) => ({
    prefix: `prefix-number-${at}:`,
    removePrefix: false,
    host: 'redis-cluster',
    port: undefined,
    reads: undefined,
    mirrors: [],
  }));
  const { write, keep, diagnostics } = filtersOf([redisService({ rules }), withAddress(VIP), CLUSTER]);
  assert.equal(write.length, 0);
  assert.match(keep[0]?.why ?? '', /too many for one object/);
  assert.ok(diagnostics.some(({ reason }) => reason === 'UnsupportedByIstio'));
});

test('every address of a Service has its patches', () => {
  const { write } = filtersOf([redisService(), withAddress(VIP, 'fd00::1'), CLUSTER]);
  assert.deepEqual(matchesOf(write[0]?.body), [`${VIP}_6379`, 'fd00::1_6379']);
});

test("in a namespace of clients its own object's EnvoyFilter alone is there, where both govern one host", () => {
  const theirs = asking({ istioNamespaces: ['shop'] });
  const ours = redisService({ name: 'ours', namespace: 'shop', hosts: ['redis-cluster.redis'], rules: [] });
  const filters = filtersOf([theirs, ours, withAddress(VIP), CLUSTER], { allowedNamespaces: ['shop'] });
  assert.deepEqual(namesOf(filters), ['redis/redpilot-redis-cluster', 'shop/redpilot-ours']);
});

test('an object of another namespace does not reach further than its own clients, whatever it asks for', () => {
  const ours = redisService({
    name: 'ours',
    namespace: 'shop',
    hosts: ['redis-cluster.redis'],
    rules: [],
    annotations: { ...NO_ANNOTATIONS, istioNamespaces: ['*'] },
  });
  const filters = filtersOf([ours, withAddress(VIP), CLUSTER], { allowedNamespaces: ['*'] });
  assert.deepEqual(namesOf(filters), []);
});

test("an address that the whole mesh has is nobody else's", () => {
  const listen = [{ of: undefined, address: '127.0.0.1', port: 6379 }];
  const mesh = asking({ istioNamespaces: ['*'], listen }, { createdMs: 2 });
  const shop = redisService({
    name: 'ours',
    namespace: 'shop',
    createdMs: 1,
    hosts: ['redis-cluster.redis'],
    rules: [],
    annotations: { ...NO_ANNOTATIONS, listen },
  });
  const filters = filtersOf([mesh, shop, withAddress(VIP), CLUSTER], { allowedNamespaces: ['*'] });
  assert.deepEqual(namesOf(filters), ['istio-system/redpilot.redis.redis-cluster', 'shop/redpilot-ours']);
  assert.deepEqual(
    filters.write.map(({ body }) => addressesOf(body)),
    [['redpilot_127.0.0.1_6379'], []],
  );
  assert.ok(filters.diagnostics.some(({ reason }) => reason === 'AddressConflict'));
});

test('clusters of one upstream have as many names as EnvoyFilters may meet in one sidecar', () => {
  const other = redisService({ name: 'other', hosts: ['b'], rules: redisService().rules });
  const objects = [
    asking({ istioNamespaces: ['shop'] }),
    other,
    withAddress(VIP),
    service({ name: 'b', clusterIps: ['10.96.12.36'] }),
    CLUSTER,
  ];
  const { write } = filtersOf(objects, { allowedNamespaces: ['shop'] });
  const clusters = write.flatMap(({ body }) =>
    body.spec.configPatches
      .filter(({ applyTo }) => applyTo === 'CLUSTER')
      .map(({ patch }) => (patch.value as { name: string }).name),
  );
  assert.equal(clusters.length, 3);
  assert.equal(new Set(clusters).size, 3);
});

test('an EnvoyFilter is the same object as long as its plan is, but where secrets are written', () => {
  const auth = { kind: 'plain', username: undefined, password: new SecretText('pw') } as const;
  const plans = plansOf(
    redisService(),
    redisService({ name: 'closed', hosts: ['b'], rules: redisService().rules, auth }),
    withAddress(VIP),
    service({ name: 'b', clusterIps: ['10.96.12.36'] }),
    CLUSTER,
  );
  const written: string[] = [];
  const look = (): EnvoyFilters =>
    envoyFiltersOf(plans, {
      ...ISTIO_DEFAULTS,
      write: (secret) => {
        written.push(secret.reveal());
        return secret.reveal();
      },
    });
  const [first, second] = [look(), look()];
  const same = first.write.filter(({ body }, at) => body === second.write[at]?.body);
  assert.deepEqual(
    same.map(({ name }) => name),
    ['redpilot-redis-cluster'],
  );
  assert.equal(written.length % 2, 0);
  assert.ok(written.length >= 2);
});

test('a whole port is not taken where the whole mesh has a listener there', () => {
  const mesh = asking({ istioNamespaces: ['*'] });
  const shop = redisService({
    name: 'ours',
    namespace: 'shop',
    hosts: ['pods'],
    rules: [],
    annotations: { ...NO_ANNOTATIONS, istioPortWide: true },
  });
  const headless = service({ namespace: 'shop', name: 'pods', isHeadless: true, hasSelector: true });
  const filters = filtersOf([mesh, shop, headless, withAddress(VIP), CLUSTER], { allowedNamespaces: ['*'] });
  assert.deepEqual(namesOf(filters), ['istio-system/redpilot.redis.redis-cluster']);
  assert.ok(filters.diagnostics.some(({ path }) => path.includes('redpilot.dev/istio-port-wide')));
});

for (const [field, isRefused] of [
  ['password', false],
  ['.dotted_Field-1', false],
  ['..', true],
  ['../../etc/passwd', true],
  ['a/b', true],
] as const) {
  test(`a password of the field ${field} is ${isRefused ? 'not looked for in a file' : 'in a file of that name'}`, () => {
    const auth = {
      kind: 'secret',
      name: 'redis-password',
      passwordField: field,
      usernameField: undefined,
    } as const;
    const source = { namespace: 'redis', name: 'redis-password', field, isTrimmed: false };
    const asked = asking({ istioSecrets: 'file' }, { auth });
    const data = new Map<string, SecretText>([[field, new SecretText('pw', source)]]);
    const holder = secret({}, { name: 'redis-password', data });
    const { write, diagnostics } = filtersOf([asked, holder, withAddress(VIP), CLUSTER]);
    const text = JSON.stringify(write[0]?.body);
    assert.equal(
      diagnostics.some(({ reason }) => reason === 'SecretNotAllowed'),
      isRefused,
    );
    assert.equal(text.includes(`"filename":"/etc/redpilot/secrets/redis-password/${field}"`), !isRefused);
    assert.equal(text.includes('downstream_auth_username'), isRefused);
  });
}
