/** Who may do what: objects of one namespace and hosts, clients, Secrets and addresses of others. */
import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';

import type { RedisDestination, RedisService } from '../../src/api/objects.ts';
import { planForView } from '../../src/plan/view.ts';
import type { WorldOptions } from '../../src/world/world.ts';
import { Desk, deskWith } from './desk.ts';
import { NO_ANNOTATIONS, redisDestination, redisService, secret, service, slice } from './objects.ts';

/** The host is of namespace `redis`; `shop` and `bank` have clients of it. */
const CLIENTS = ['redis', 'shop', 'bank'];
const HOST = 'redis-cluster.redis';
const PLACE = 'redis-cluster.redis.svc.cluster.local:6379';
const host = [service(), slice(['10.0.0.1'])];

/** Whose object governs the clients of each namespace, as `CLIENTS: AUTHOR`; who has none is left out. */
function governed(options: Partial<WorldOptions>, objects: readonly RedisService[]): string[] {
  const desk = new Desk(options);
  desk.put(...host, redisDestination({ mode: 'PROXY' }), ...objects);
  return CLIENTS.flatMap((namespace) => {
    const view = { namespace, hosts: undefined, bindAddress: '127.0.0.1' };
    const { plan } = planForView(desk.planner.plans(), view);
    return plan.listeners.map(({ listener }) => `${namespace}: ${listener.origin.namespace}`);
  });
}

function by(namespace: string, exportTo?: readonly string[], createdMs = 1): RedisService {
  const annotations = { ...NO_ANNOTATIONS, exportTo };
  return redisService({ namespace, hosts: [HOST], annotations, createdMs });
}

const EVERYBODY = ['redis: redis', 'shop: redis', 'bank: redis'];

const claims: [
  who: string,
  defaultExportTo: readonly string[] | undefined,
  objects: readonly RedisService[],
  governed: string[],
][] = [
  ["the host's namespace governs everybody", undefined, [by('redis')], EVERYBODY],
  ['with --default-export-to . only its own', ['.'], [by('redis')], ['redis: redis']],
  ['with --default-export-to shop those too', ['.', 'shop'], [by('redis')], ['redis: redis', 'shop: redis']],
  ['export-to * against --default-export-to .', ['.'], [by('redis', ['*'])], EVERYBODY],
  ['export-to . keeps it at home', undefined, [by('redis', ['.'])], ['redis: redis']],
  ['export-to bank alone leaves out its own', undefined, [by('redis', ['bank'])], ['bank: redis']],
  ['another namespace governs its own clients only', undefined, [by('shop')], ['shop: shop']],
  ['and those of no other, whatever it exports', undefined, [by('shop', ['*'])], ['shop: shop']],
  ['nor those that it names', undefined, [by('shop', ['bank', 'redis'])], ['shop: shop']],
  ['nor by --default-export-to', ['*'], [by('shop')], ['shop: shop']],
  [
    "clients' own object wins over the host's, however young",
    undefined,
    [by('redis'), by('shop', undefined, 2)],
    ['redis: redis', 'shop: shop', 'bank: redis'],
  ],
  [
    'an object of the host exported to clients does not take the place of their own',
    undefined,
    [by('redis', ['shop']), by('shop', undefined, 2)],
    ['shop: shop'],
  ],
  ['two others: each its own', undefined, [by('shop'), by('bank')], ['shop: shop', 'bank: bank']],
];

for (const [who, defaultExportTo, objects, expected] of claims) {
  test(`${who}: ${expected.join(', ') || 'nobody'}`, () => {
    assert.deepEqual(governed({ defaultExportTo }, objects), expected);
  });
}

test('the mode and password of a host are what its own namespace says, but for clients that say their own', () => {
  const of = (namespace: string, mode: 'CLUSTER' | 'PROXY'): RedisDestination =>
    redisDestination({ namespace, host: HOST, mode });
  const desk = deskWith(
    ...host,
    of('redis', 'PROXY'),
    of('shop', 'CLUSTER'),
    by('redis'),
    by('shop'),
    by('bank'),
  );
  const modes = desk.planner
    .plans()
    .map(
      ({ origin, upstreams }) =>
        `${origin.namespace}: ${upstreams.map(({ id, mode }) => `${id} ${mode}`).join()}`,
    );
  assert.deepEqual(modes.toSorted(), [
    `bank: ${PLACE} proxy`,
    `redis: ${PLACE} proxy`,
    `shop: ${PLACE}@shop cluster`,
  ]);
});

/** Of Kubernetes' own types, and one of somebody else. */
const TYPES: [type: string, forPasswords: boolean, forCertificates: boolean][] = [
  ['Opaque', true, true],
  ['kubernetes.io/basic-auth', true, true],
  ['kubernetes.io/tls', false, true],
  ['kubernetes.io/ssh-auth', false, false],
  ['kubernetes.io/service-account-token', false, false],
  ['kubernetes.io/dockercfg', false, false],
  ['kubernetes.io/dockerconfigjson', false, false],
  ['bootstrap.kubernetes.io/token', false, false],
  ['example.com/own', false, false],
];
const asked = {
  kind: 'secret',
  name: 'password',
  passwordField: undefined,
  usernameField: undefined,
} as const;
const values = { password: 'word', token: 'word' };
const tls = {
  mode: 'SIMPLE',
  secretName: 'password',
  serverName: undefined,
  insecureSkipVerify: false,
} as const;
const cluster = (fields: Partial<RedisDestination>): RedisDestination =>
  redisDestination({ mode: 'CLUSTER', ...fields });

for (const [type, forPasswords, forCertificates] of TYPES) {
  const may = (isAllowed: boolean): string => (isAllowed ? 'may' : 'may not');
  test(`a Secret of type ${type} ${may(forPasswords)} hold passwords, ${may(forCertificates)} hold certificates`, () => {
    const uses: [objects: readonly (RedisService | RedisDestination)[], isAllowed: boolean][] = [
      [[redisService({ auth: asked }), cluster({})], forPasswords],
      [[redisService(), cluster({ auth: asked })], forPasswords],
      [[redisService(), cluster({ tls })], forCertificates],
    ];
    for (const [objects, isAllowed] of uses) {
      const desk = deskWith(...host, secret(values, { type }), ...objects);
      assert.equal(desk.reasons().includes('error SecretTypeRefused'), !isAllowed);
      const plan = JSON.stringify([desk.listener()?.clientAuth.kind, desk.upstream()?.mode]);
      assert.equal(plan.includes('unavailable'), !isAllowed);
    }
  });
}

test("nobody's object reaches a Secret of another namespace, by any name", () => {
  const theirs = secret(values, { namespace: 'bank', name: 'password' });
  for (const name of ['password', 'bank/password', '../bank/password']) {
    const auth = { ...asked, name };
    const desk = deskWith(...host, theirs, redisService({ auth }), cluster({ auth }));
    assert.equal(desk.listener()?.clientAuth.kind, 'unavailable');
    assert.equal(desk.upstream()?.mode, 'unavailable');
  }
});

const allowBind = new BlockList();
allowBind.addSubnet('10.0.0.0', 8, 'ipv4');

const ADDRESSES: [address: string, allowed: BlockList | undefined, isAllowed: boolean][] = [
  ['127.0.0.5', undefined, true],
  ['::1', undefined, true],
  ['10.1.2.3', undefined, false],
  ['0.0.0.0', undefined, false],
  ['10.1.2.3', allowBind, true],
  ['192.0.2.1', allowBind, false],
  ['0.0.0.0', allowBind, false],
  // The same place in other words.
  ['::ffff:192.0.2.1', allowBind, false],
];

for (const [address, allowed, isAllowed] of ADDRESSES) {
  const where = allowed === undefined ? 'without --allow-bind' : 'with --allow-bind 10.0.0.0/8';
  // Who writes it makes no difference.
  for (const namespace of ['redis', 'shop']) {
    test(`${where} an object of ${namespace} ${isAllowed ? 'may' : 'may not'} listen on ${address}`, () => {
      const listen = [{ of: undefined, address, port: 7_000 }];
      const annotations = { ...NO_ANNOTATIONS, listen };
      const desk = new Desk({ allowBind: allowed });
      desk.put(
        ...host,
        redisDestination({ mode: 'PROXY' }),
        redisService({ namespace, hosts: [HOST], annotations }),
      );
      assert.deepEqual(desk.listener()?.listen, isAllowed ? { address, port: 7_000 } : undefined);
      assert.equal(desk.listener() !== undefined, isAllowed);
    });
  }
}
