import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SecretText } from '../../src/api/secret-text.ts';
import { Desk, deskWith } from './desk.ts';
import { NO_ANNOTATIONS, redisDestination, redisService, rule, secret, service, slice } from './objects.ts';

const cluster = redisDestination({ mode: 'CLUSTER' });

test('a change plans again only the objects that it concerns', () => {
  const other = redisService({ name: 'sessions', hosts: ['sessions'] });
  const desk = deskWith(
    redisService(),
    service(),
    slice(['10.0.0.1']),
    other,
    service({ name: 'sessions' }),
    slice(['10.0.1.1'], { serviceName: 'sessions' }),
  );
  const untouched = desk.listener('sessions');
  assert.deepEqual(desk.put(slice(['10.0.0.2'])), ['RedisService/redis/redis-cluster']);
  assert.equal(desk.listener('sessions'), untouched);
});

test('a plan object whose content did not change stays the same object', () => {
  const desk = deskWith(redisService(), service(), slice(['10.0.0.1']), cluster);
  const [listener, upstream] = [desk.listener(), desk.upstream()];
  desk.put(redisService(), service(), slice(['10.0.0.1']), redisDestination({ mode: 'CLUSTER' }));
  assert.equal(desk.listener(), listener);
  assert.equal(desk.upstream(), upstream);
});

test('an edited read policy changes the listener and leaves the upstream the same object', () => {
  const desk = deskWith(redisService({ readPolicy: 'REPLICA' }), service(), slice(['10.0.0.1']), cluster);
  const upstream = desk.upstream();
  desk.put(redisService({ readPolicy: 'ANY' }));
  assert.equal(desk.listener()?.readPolicy, 'ANY');
  assert.equal(desk.upstream(), upstream);
});

test('an assumed mode stays in force when the policy that led to it is edited', () => {
  const desk = deskWith(redisService({ readPolicy: 'REPLICA' }), service(), slice(['10.0.0.1']));
  desk.put(redisService({ readPolicy: 'MASTER' }));
  assert.equal(desk.upstream()?.mode, 'cluster');
});

test('a RedisDestination that states the mode overrules the assumed one', () => {
  const desk = deskWith(redisService({ readPolicy: 'REPLICA' }), service(), slice(['10.0.0.1']));
  desk.put(redisDestination({ mode: 'PROXY' }));
  assert.equal(desk.upstream()?.mode, 'proxy');
});

test('a mode that was stated stays in force when its RedisDestination goes', () => {
  const stated = redisDestination({ mode: 'CLUSTER' });
  const desk = deskWith(redisService(), service(), slice(['10.0.0.1']), stated);
  desk.remove(stated);
  assert.equal(desk.upstream()?.mode, 'cluster');
});

test('an object before its Service is put in force by the Service', () => {
  const desk = deskWith(redisService({ readPolicy: 'REPLICA' }), slice(['10.0.0.1']));
  const planned = desk.put(service());
  assert.deepEqual(planned, ['RedisService/redis/redis-cluster']);
  assert.deepEqual(desk.upstream(), {
    id: 'redis-cluster.redis.svc.cluster.local:6379',
    mode: 'cluster',
    connectTimeoutMs: 500,
    credentials: undefined,
    tls: undefined,
    keepalive: undefined,
    maxConnections: undefined,
    seeds: [{ address: '10.0.0.1', port: 6379 }],
    discoverZones: false,
    generation: undefined,
  });
});

test('what a Service without a Redis port would break stays in force as it was, and is told', () => {
  const desk = deskWith(redisService({ readPolicy: 'REPLICA' }), service(), slice(['10.0.0.1']));
  const before = desk.listener();
  const web = [
    { name: 'http', port: 80, targetPort: undefined, appProtocol: undefined },
    { name: 'https', port: 443, targetPort: undefined, appProtocol: undefined },
  ];
  desk.put(service({ ports: web }));
  assert.equal(desk.listener(), before);
  assert.ok(desk.reasons().includes('error PortNotFound'));
  assert.ok(desk.reasons().includes('warning LastGoodKept'));
});

test('a Redis Cluster whose last endpoint goes keeps its last seeds', () => {
  const endpoints = slice(['10.0.0.1']);
  const desk = deskWith(redisService({ readPolicy: 'REPLICA' }), service(), endpoints);
  const before = desk.upstream();
  desk.remove(endpoints);
  assert.equal(desk.upstream(), before);
});

test('a deleted object has no plan', () => {
  const object = redisService();
  const desk = deskWith(object, service(), slice(['10.0.0.1']));
  desk.remove(object);
  assert.deepEqual(desk.planner.plans(), []);
});

const withSecret = redisDestination({
  mode: 'CLUSTER',
  auth: { kind: 'secret', name: 'password', passwordField: undefined, usernameField: undefined },
});

test('a rotated Secret reaches the upstream', () => {
  const desk = deskWith(
    redisService(),
    service(),
    slice(['10.0.0.1']),
    withSecret,
    secret({ password: 'old' }),
  );
  desk.put(secret({ password: 'new' }));
  assert.equal(desk.password(), 'new');
});

const losses: [how: string, lose: (desk: Desk) => void][] = [
  ['is deleted', (desk) => desk.remove(secret({}))],
  ['is emptied', (desk) => desk.put(secret({ password: ' \n' }))],
  ['loses the field', (desk) => desk.put(secret({ other: 'x' }))],
  [
    'changes its type',
    (desk) => desk.put(secret({ password: 'new' }, { type: 'kubernetes.io/service-account-token' })),
  ],
];
for (const [how, lose] of losses) {
  test(`a Secret that ${how} leaves the last good password in force, and says so`, () => {
    const desk = deskWith(
      redisService(),
      service(),
      slice(['10.0.0.1']),
      withSecret,
      secret({ password: 'good' }),
    );
    lose(desk);
    assert.equal(desk.password(), 'good');
    assert.ok(desk.reasons().includes('warning LastGoodKept'));
  });

  test(`a Secret for clients that ${how} leaves the last good password in force`, () => {
    const auth = {
      kind: 'secret',
      name: 'password',
      passwordField: undefined,
      usernameField: undefined,
    } as const;
    const desk = deskWith(
      redisService({ auth }),
      service(),
      slice(['10.0.0.1']),
      cluster,
      secret({ password: 'good' }),
    );
    lose(desk);
    const clientAuth = desk.listener()?.clientAuth;
    assert.equal(clientAuth?.kind === 'password' ? clientAuth.password.reveal() : clientAuth?.kind, 'good');
  });
}

test('a last good password does not serve an object that asks for another Secret', () => {
  const desk = deskWith(
    redisService(),
    service(),
    slice(['10.0.0.1']),
    withSecret,
    secret({ password: 'good' }),
  );
  desk.put(
    redisDestination({
      mode: 'CLUSTER',
      auth: { kind: 'secret', name: 'elsewhere', passwordField: undefined, usernameField: undefined },
    }),
  );
  assert.equal(desk.upstream()?.mode, 'unavailable');
});

test('an upstream that nobody uses any more is forgotten, its last good password with it', () => {
  const object = redisService();
  const desk = deskWith(object, service(), slice(['10.0.0.1']), withSecret, secret({ password: 'good' }));
  desk.change({ deleted: [object, secret({})] });
  desk.put(redisService());
  assert.equal(desk.upstream()?.mode, 'unavailable');
});

test('what an object under a new name takes up at once is not forgotten', () => {
  const object = redisService({ readPolicy: 'REPLICA' });
  const objects = [object, service(), slice(['10.0.0.1']), redisDestination({ auth: withSecret.auth })];
  const desk = deskWith(...objects, secret({ password: 'good' }));
  desk.remove(secret({}));
  desk.change({ deleted: [object], set: [redisService({ name: 'renamed' })] });
  assert.equal(desk.upstream()?.mode, 'cluster');
  assert.equal(desk.password(), 'good');
  assert.deepEqual(
    [...desk.planner.takeQuestions().values()].map((question) => question?.host),
    ['redis-cluster.redis.svc.cluster.local:6379'],
  );
});

test('an edit of what reads prefer, or a wish for zones, drops no password whose Secret is gone', () => {
  const reads = { host: 'replicas', port: undefined };
  const rules = [rule({ reads })];
  const desk = deskWith(
    redisService({ readPolicy: 'REPLICA', rules }),
    service(),
    slice(['10.0.0.1']),
    service({ name: 'replicas' }),
    slice(['10.0.0.2'], { serviceName: 'replicas', name: 'replicas-1' }),
    redisDestination({ mode: 'PROXY', auth: withSecret.auth }),
    secret({ password: 'good' }),
  );
  desk.remove(secret({}));
  for (const readPolicy of ['PREFER_REPLICA', 'ANY', 'PREFER_MASTER', 'REPLICA'] as const) {
    desk.put(redisService({ readPolicy, rules }));
    assert.equal(desk.password(desk.upstreamIds().find((id) => id.startsWith('reads/'))), 'good', readPolicy);
  }

  desk.put(secret({ password: 'good' }), withSecret);
  desk.remove(secret({}));
  desk.put(redisService({ readPolicy: 'ANY', annotations: { ...NO_ANNOTATIONS, zoneAffinity: true } }));
  assert.equal(desk.password('redis-cluster.redis.svc.cluster.local:6379+zones'), 'good');
});

test('who comes later and wishes for zones gets the password that others know, although its Secret is gone', () => {
  const desk = deskWith(
    redisService(),
    service(),
    slice(['10.0.0.1']),
    withSecret,
    secret({ password: 'good' }),
  );
  desk.remove(secret({}));
  const later = redisService({ name: 'later', hosts: ['elsewhere'], readPolicy: 'ANY', rules: [rule()] });
  desk.put({ ...later, annotations: { ...NO_ANNOTATIONS, zoneAffinity: true } });
  assert.equal(desk.password('redis-cluster.redis.svc.cluster.local:6379+zones'), 'good');
});

test('a route to another port of the host drops no password whose Secret is gone', () => {
  const routed = (port: number): ReturnType<typeof redisService> => redisService({ rules: [rule({ port })] });
  const desk = deskWith(routed(6379), withSecret, secret({ password: 'good' }));
  desk.remove(secret({}));
  desk.put(routed(6380));
  const [id] = desk.upstreamIds();
  assert.equal(id, 'redis-cluster:6380@redis');
  assert.equal(desk.password(id), 'good');
});

test('a mode that was assumed stays in force while its Service is gone and when it is back', () => {
  const desk = new Desk({ completeNamespaces: 'all' });
  desk.put(redisService({ readPolicy: 'REPLICA' }), service(), slice(['10.0.0.1']));
  desk.put(redisService({ readPolicy: 'MASTER' }));
  desk.remove(service());
  assert.ok(desk.reasons().includes('warning LastGoodKept'));
  desk.put(service());
  assert.equal(desk.upstream()?.mode, 'cluster');
});

test('hosts of one name in two namespaces share no password', () => {
  const ofA = { namespace: 'a', name: 'of-a', hosts: ['redis'] };
  const plain = { kind: 'plain', username: undefined, password: new SecretText('of a') } as const;
  const desk = deskWith(
    redisService(ofA),
    redisDestination({ namespace: 'a', host: 'redis', mode: 'CLUSTER', auth: plain }),
    redisService({ ...ofA, namespace: 'b', name: 'of-b' }),
  );
  const passwords = (name: string): unknown[] => {
    const plan = desk.planner.plans().find(({ origin }) => origin.name === name);
    return (plan?.upstreams ?? []).map(({ id }) => desk.password(id));
  };
  assert.deepEqual(passwords('of-a'), ['of a']);
  assert.deepEqual(passwords('of-b'), [undefined]);
  assert.equal(new Set(desk.upstreamIds()).size, 2);
});

test('what is wrong with a RedisDestination is said once, however many ports of its host are asked for', () => {
  const desk = deskWith(
    withSecret,
    ...[6379, 6380].map((port) => redisService({ name: `of-${port}`, rules: [rule({ port })] })),
  );
  const missing = desk.reasons().filter((reason) => reason === 'error SecretNotFound');
  assert.equal(missing.length, 1);
});

test('a rotated Secret is followed on both sides while a broken edit keeps what was last good', () => {
  const objects = [service(), slice(['10.0.0.1']), withSecret, secret({ password: 'old' })];
  const desk = deskWith(redisService({ auth: withSecret.auth }), ...objects);
  const broken = [rule(), rule({ prefix: 'a', port: 7000 })];
  desk.put(redisService({ auth: withSecret.auth, rules: broken }));
  assert.ok(desk.reasons().includes('warning LastGoodKept'));
  desk.put(secret({ password: 'new' }));
  assert.equal(desk.password(), 'new');
  const { clientAuth } = desk.listener() ?? {};
  assert.equal(clientAuth?.kind === 'password' && clientAuth.password.reveal(), 'new');
  assert.deepEqual(desk.listener()?.routes.prefixes, []);
});

test('a broken edit of the password itself changes nothing', () => {
  const plain = (text: string): { kind: 'plain'; username: undefined; password: SecretText } => ({
    kind: 'plain',
    username: undefined,
    password: new SecretText(text),
  });
  const desk = deskWith(redisService({ auth: plain('old') }), service(), slice(['10.0.0.1']), cluster);
  desk.put(redisService({ auth: plain('new'), rules: [rule({ port: 7000 })] }));
  const { clientAuth } = desk.listener() ?? {};
  assert.equal(clientAuth?.kind === 'password' && clientAuth.password.reveal(), 'old');
});

test('localhost is no Service that is missing', () => {
  const desk = deskWith(redisService({ hosts: ['localhost'] }));
  assert.deepEqual(desk.reasons(), ['note ModeAssumed']);
});

test('a broken edit that asks for a password closes no listener that was open', () => {
  const desk = deskWith(redisService(), service(), slice(['10.0.0.1']), cluster);
  desk.put(redisService({ auth: withSecret.auth, rules: [rule({ port: 7000 })] }));
  assert.equal(desk.listener()?.clientAuth.kind, 'none');
});

test('of an object that was never good nothing is kept, however often it is planned', () => {
  const desk = deskWith(redisService({ rules: [rule({ port: 7000 })] }), service(), slice(['10.0.0.1']));
  desk.put(slice(['10.0.0.2']), service());
  assert.deepEqual(desk.reasons(), ['error PortNotFound']);
});

test('of an object that another one of its name has replaced at once nothing is kept', () => {
  const desk = new Desk({ completeNamespaces: 'all' });
  desk.put(service(), redisService({ uid: 'first' }));
  assert.notEqual(desk.listener(), undefined);
  const broken = { hosts: ['redis-cluster', 'nowhere'] };
  desk.put(redisService({ uid: 'first', ...broken }));
  assert.notEqual(desk.listener(), undefined);
  desk.put(redisService({ uid: 'second', ...broken }));
  assert.equal(desk.listener(), undefined);
  assert.ok(!desk.reasons().includes('warning LastGoodKept'));
});
