/** Hosts that a mesh knows by a ServiceEntry. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ApiObject } from '../../src/api/objects.ts';
import { planForView } from '../../src/plan/view.ts';
import { deskWith } from './desk.ts';
import { NO_ANNOTATIONS, redisDestination, redisService, rule, service, serviceEntry } from './objects.ts';

const HOST = 'redis.example.com';
const governed = redisService({ hosts: [HOST], rules: [rule({ host: HOST })] });
const port = (name: string, number: number, appProtocol = 'tcp'): object => ({
  ports: [
    { name, port: number, targetPort: undefined, appProtocol },
    { name: 'web', port: 80, targetPort: undefined, appProtocol: 'http' },
  ],
});

for (const [what, fields] of [
  ['its name', port('tcp-redis', 7000)],
  ['its protocol', port('data', 7000, 'redis')],
] as const) {
  test(`the port of a ServiceEntry is found by ${what}`, () => {
    const desk = deskWith(governed, serviceEntry(fields));
    assert.equal(desk.listener()?.port, 7000);
    assert.deepEqual(desk.upstreamIds(), [`${HOST}:7000`]);
  });
}

test('endpoints that a ServiceEntry lists are the servers, at their own ports', () => {
  const endpoints = [
    { address: '192.0.2.1', ports: new Map([['tcp', 7001]]) },
    { address: '192.0.2.2', ports: new Map<string, number>() },
  ];
  const entry = serviceEntry({ resolution: 'STATIC', endpoints });
  const plain = deskWith(governed, entry).upstream(`${HOST}:6379`);
  assert.ok(plain?.mode === 'proxy' && plain.servers.kind === 'endpoints');
  const places = [
    { address: '192.0.2.1', port: 7001 },
    { address: '192.0.2.2', port: 6379 },
  ];
  assert.deepEqual(
    plain.servers.endpoints.map(({ address, port }) => ({ address, port })),
    places,
  );
  const cluster = deskWith(governed, entry, redisDestination({ host: HOST, mode: 'CLUSTER' })).upstream(
    `${HOST}:6379`,
  );
  assert.ok(cluster?.mode === 'cluster');
  assert.deepEqual(cluster.seeds, places);
});

test('one without endpoints is a DNS name', () => {
  const upstream = deskWith(governed, serviceEntry()).upstream(`${HOST}:6379`);
  assert.ok(upstream?.mode === 'proxy');
  assert.deepEqual(upstream.servers, { kind: 'dns', name: HOST, port: 6379 });
});

test('a name of the cluster that only a ServiceEntry has does not wait for a Service', () => {
  const host = 'redis-cluster.redis.svc.cluster.local';
  const desk = deskWith(
    redisService({ hosts: [host], rules: [rule({ host })] }),
    serviceEntry({ hosts: [host] }),
  );
  assert.deepEqual(desk.reasons(), ['note ModeAssumed']);
});

test('a Service goes before a ServiceEntry of its name', () => {
  const host = 'redis-cluster.redis.svc.cluster.local';
  const desk = deskWith(redisService(), service(), serviceEntry({ hosts: [host], ...port('redis', 7000) }));
  assert.equal(desk.listener()?.port, 6379);
});

test('a ServiceEntry that another namespace keeps to itself is not seen', () => {
  const entry = serviceEntry({ namespace: 'other', ...port('redis', 7000), exportTo: ['.'] });
  assert.equal(deskWith(governed, entry).listener()?.port, 6379);
  assert.equal(deskWith(governed, { ...entry, exportTo: ['redis'] }).listener()?.port, 7000);
});

test('what two namespaces mean by one name, each by a ServiceEntry of its own, are two upstreams', () => {
  const inNamespace = (namespace: string, address: string): readonly ApiObject[] => [
    { ...governed, namespace, name: namespace },
    serviceEntry({ namespace, exportTo: ['.'], endpoints: [{ address, ports: new Map() }] }),
  ];
  const desk = deskWith(...inNamespace('a', '192.0.2.1'), ...inNamespace('b', '192.0.2.2'));
  for (const [namespace, address] of [
    ['a', '192.0.2.1'],
    ['b', '192.0.2.2'],
  ] as const) {
    const view = { namespace, hosts: undefined, bindAddress: '127.0.0.1' };
    const { listeners, upstreams } = planForView(desk.planner.plans(), view).plan;
    const [of] = listeners;
    const upstream = upstreams.get(of?.listener.routes.catchAll?.upstream ?? '');
    assert.ok(upstream?.mode === 'proxy' && upstream.servers.kind === 'endpoints');
    assert.deepEqual(
      upstream.servers.endpoints.map((endpoint) => endpoint.address),
      [address],
    );
  }
});

test('what two namespaces mean by one name is asked for its mode apart', () => {
  const inNamespace = (namespace: string): readonly ApiObject[] => [
    { ...governed, namespace, name: namespace },
    serviceEntry({ namespace, exportTo: ['.'] }),
  ];
  const desk = deskWith(...inNamespace('a'), ...inNamespace('b'));
  const hosts = [...desk.planner.takeQuestions().values()].map((question) => question?.host);
  assert.deepEqual(hosts, [`${HOST}:6379@a`, `${HOST}:6379@b`]);
  desk.change({ observed: new Map([[`${HOST}:6379@b`, 'cluster']]) });
  assert.equal(desk.upstream(`${HOST}:6379@a`)?.mode, 'proxy');
  assert.equal(desk.upstream(`${HOST}:6379@b`)?.mode, 'cluster');
});

for (const [exportTo, ofEntry, reached] of [
  [undefined, undefined, undefined],
  [undefined, ['.'], ['redis']],
  [undefined, ['shop'], ['redis', 'shop']],
  [['shop', 'bank'], ['shop'], ['shop']],
  [['shop'], ['*'], ['shop']],
] as const) {
  const exported = (names: readonly string[] | undefined): string => names?.join(' and ') ?? 'everybody';
  test(`an object for ${exported(exportTo)} of a ServiceEntry for ${exported(ofEntry)} reaches ${exported(reached)}`, () => {
    const annotations = { ...NO_ANNOTATIONS, exportTo };
    const desk = deskWith({ ...governed, annotations }, serviceEntry({ exportTo: ofEntry }));
    assert.deepEqual(desk.listener()?.onlyNamespaces, reached);
  });
}

test('that nobody is left who gets an object is told, with those who see its ServiceEntry', () => {
  const annotations = { ...NO_ANNOTATIONS, exportTo: ['bank'] };
  const desk = deskWith({ ...governed, annotations }, serviceEntry({ exportTo: ['shop'] }));
  assert.deepEqual(desk.listener()?.onlyNamespaces, []);
  const told = desk.planner.diagnostics().filter(({ reason }) => reason === 'InvalidValue');
  assert.deepEqual(
    told.map(({ message }) => message),
    ['leaves nobody who gets the object: its ServiceEntry is seen by redis, shop only; name one of these'],
  );
});

test('a ServiceEntry is one host, however objects write its name', () => {
  const full = 'redis-cluster.redis.svc.cluster.local';
  const entry = serviceEntry({ hosts: [full], exportTo: ['redis', 'shop'] });
  const desk = deskWith(
    redisService(),
    redisService({ namespace: 'shop', hosts: [full], rules: [rule({ host: 'redis-cluster.redis' })] }),
    entry,
  );
  assert.deepEqual(desk.upstreamIds(), [`${full}:6379@redis`, `${full}:6379@shop`]);
  assert.deepEqual(
    desk.planner.plans().flatMap(({ listeners }) => listeners.map(({ id }) => id)),
    [`${full}:6379`, `${full}:6379`],
  );
});

test('a change of a ServiceEntry plans those again that it concerns', () => {
  const desk = deskWith(governed, redisService({ name: 'other' }), service(), serviceEntry());
  assert.deepEqual(desk.put(serviceEntry(port('redis', 7000))), ['RedisService/redis/redis-cluster']);
  assert.equal(desk.listener()?.port, 7000);
  desk.remove(serviceEntry());
  assert.equal(desk.listener()?.port, 6379);
});
