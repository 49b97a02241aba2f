import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ApiObject, Mode, ReadPolicy } from '../../src/api/objects.ts';
import { Planner } from '../../src/plan/planner.ts';
import type { ModeQuestion, ObservedMode } from '../../src/world/observation.ts';
import { World, type ObjectChanges } from '../../src/world/world.ts';
import { redisDestination, redisService, secret, service, slice } from './objects.ts';

const POLICIES: readonly ReadPolicy[] = ['MASTER', 'PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY'];
const HOST = 'redis-cluster.redis.svc.cluster.local:6379';

class Desk {
  readonly planner = new Planner();
  readonly questions = new Map<string, ModeQuestion>();
  world = World.empty({ clusterDomain: 'cluster.local' });

  /** Names of the RedisServices that were planned again. */
  change(changes: Partial<ObjectChanges>): string[] {
    const { world, changed } = this.world.apply({ set: [], deleted: [], ...changes });
    this.world = world;
    const planned = this.planner.update(world, changed);
    for (const [host, question] of this.planner.takeQuestions()) {
      if (question === undefined) this.questions.delete(host);
      else this.questions.set(host, question);
    }
    return [...planned];
  }

  put(...set: ApiObject[]): string[] {
    return this.change({ set });
  }

  observe(mode: ObservedMode | undefined, host = HOST): string[] {
    return this.change({ observed: new Map([[host, mode]]) });
  }

  mode(): string | undefined {
    return this.planner.plans()[0]?.upstreams[0]?.mode;
  }

  reasons(): string[] {
    return this.planner.diagnostics().map(({ severity, reason }) => `${severity} ${reason}`);
  }
}

function deskWith(...objects: ApiObject[]): Desk {
  const desk = new Desk();
  desk.put(service(), slice(['10.0.0.1']), ...objects);
  return desk;
}

const KINDS: [said: ObservedMode, mode: string][] = [
  ['cluster', 'cluster'],
  ['standalone', 'proxy'],
];

for (const [said, mode] of KINDS) {
  for (const from of POLICIES) {
    for (const to of POLICIES.filter((policy) => policy !== from)) {
      test(`a bare object on a host that says ${said} keeps its mode from ${from} to ${to}`, () => {
        const desk = deskWith(redisService({ readPolicy: from }));
        desk.observe(said);
        assert.equal(desk.mode(), mode);
        desk.put(redisService({ readPolicy: to }));
        assert.equal(desk.mode(), mode);
        assert.ok(!desk.reasons().includes('note ModeAssumed'));
      });

      test(`a bare object on a host that says ${said} is written anew with ${to} instead of ${from}: the mode stays`, () => {
        const desk = deskWith(redisService({ readPolicy: from }));
        desk.observe(said);
        desk.change({ deleted: [redisService()] });
        desk.put(redisService({ readPolicy: to }));
        assert.equal(desk.mode(), mode);
      });
    }
  }
}

for (const from of POLICIES) {
  for (const to of POLICIES.filter((policy) => policy !== from)) {
    test(`a bare object whose host never answered keeps its assumed mode from ${from} to ${to}`, () => {
      const desk = deskWith(redisService({ readPolicy: from }));
      const assumed = from === 'MASTER' ? 'proxy' : 'cluster';
      assert.equal(desk.mode(), assumed);
      desk.put(redisService({ readPolicy: to }));
      assert.equal(desk.mode(), assumed);
      assert.ok(desk.reasons().includes('note ModeAssumed'));
    });
  }
}

const stated: [mode: Mode, said: ObservedMode, expected: string][] = [
  ['CLUSTER', 'standalone', 'cluster'],
  ['PROXY', 'cluster', 'proxy'],
];

for (const [mode, said, expected] of stated) {
  test(`a RedisDestination that says ${mode} is believed over a host that said ${said}`, () => {
    const desk = deskWith(redisService());
    desk.observe(said);
    desk.put(redisDestination({ mode }));
    assert.equal(desk.mode(), expected);
  });

  test(`without the RedisDestination that said ${mode}, what the host said (${said}) holds again`, () => {
    const desk = deskWith(redisService(), redisDestination({ mode }));
    desk.observe(said);
    desk.change({ deleted: [redisDestination()] });
    assert.equal(desk.mode(), said === 'cluster' ? 'cluster' : 'proxy');
  });
}

test('a mode that a RedisDestination said stays without it, until the host says otherwise', () => {
  const desk = deskWith(redisService(), redisDestination({ mode: 'CLUSTER' }));
  desk.change({ deleted: [redisDestination()] });
  assert.equal(desk.mode(), 'cluster');
  assert.ok(desk.reasons().includes('note ModeAssumed'));
  desk.observe('standalone');
  assert.equal(desk.mode(), 'proxy');
});

test('a sentinel does not say the mode: what was assumed stays, and a warning tells it', () => {
  const desk = deskWith(redisService({ readPolicy: 'REPLICA' }));
  desk.observe('sentinel');
  assert.equal(desk.mode(), 'cluster');
  assert.deepEqual(desk.reasons().toSorted(), ['note ModeAssumed', 'warning InvalidValue']);
});

test('a name of one label is another host in each namespace, with a mode of its own', () => {
  const desk = new Desk();
  desk.put(
    redisService({ namespace: 'a', hosts: ['redis'] }),
    redisService({ namespace: 'b', hosts: ['redis'], readPolicy: 'REPLICA' }),
  );
  const upstreams = desk.planner.plans().flatMap((plan) => plan.upstreams);
  assert.deepEqual(
    upstreams.map(({ id, mode }) => [id, mode]),
    [
      ['redis:6379@a', 'proxy'],
      ['redis:6379@b', 'cluster'],
    ],
  );
});

test('an answer plans again only the objects that route to its host', () => {
  const desk = deskWith(redisService(), redisService({ name: 'other', hosts: ['other'] }));
  assert.deepEqual(desk.observe('cluster'), ['RedisService/redis/redis-cluster']);
});

test('the same answer again plans nothing', () => {
  const desk = deskWith(redisService());
  desk.observe('cluster');
  assert.deepEqual(desk.observe('cluster'), []);
});

test('a host whose mode nobody states is to be asked, where its endpoints are', () => {
  const desk = deskWith(redisService());
  assert.deepEqual(desk.questions.get(HOST)?.addresses, [{ address: '10.0.0.1', port: 6379 }]);
});

test('a host without endpoints is to be asked by its name', () => {
  const desk = deskWith(redisService({ hosts: ['redis.example.com'] }));
  const { addresses } = desk.questions.get('redis.example.com:6379') ?? {};
  assert.deepEqual(addresses, [{ address: 'redis.example.com', port: 6379 }]);
});

test('what a host answers does not change what it is asked', () => {
  const desk = deskWith(redisService());
  const question = desk.questions.get(HOST);
  for (const said of ['cluster', 'standalone', 'sentinel'] as const) {
    desk.observe(said);
    assert.equal(desk.questions.get(HOST), question);
  }
});

test("a host is asked with its upstream's credentials", () => {
  const auth = {
    kind: 'secret',
    name: 'password',
    passwordField: undefined,
    usernameField: undefined,
  } as const;
  const desk = deskWith(redisService(), redisDestination({ auth }), secret({ password: 'sesame' }));
  assert.equal(desk.questions.get(HOST)?.credentials?.password.reveal(), 'sesame');
});

test("a host is asked by its upstream's TLS", () => {
  const tls = {
    mode: 'SIMPLE',
    secretName: undefined,
    serverName: 'redis.example.com',
    insecureSkipVerify: false,
  } as const;
  const desk = deskWith(redisService(), redisDestination({ tls }));
  assert.equal(desk.questions.get(HOST)?.tls?.serverName, 'redis.example.com');
});

test('where zones are asked for, the host is asked its mode once, and its answer holds there too', () => {
  const annotations = { ...redisService().annotations, zoneAffinity: true };
  const desk = deskWith(redisService({ readPolicy: 'ANY', annotations }));
  assert.deepEqual([...desk.questions.keys()], [HOST]);
  desk.observe('cluster');
  assert.ok(!desk.reasons().includes('note ModeAssumed'));
  desk.observe('standalone');
  assert.equal(desk.mode(), 'proxy');
});

test('a host whose password was never known is not asked: nothing is sent to it', () => {
  const auth = {
    kind: 'secret',
    name: 'password',
    passwordField: undefined,
    usernameField: undefined,
  } as const;
  const desk = deskWith(redisService(), redisDestination({ auth }));
  assert.equal(desk.questions.size, 0);
});

test('a host is asked no longer once a RedisDestination says its mode', () => {
  const desk = deskWith(redisService());
  desk.put(redisDestination({ mode: 'PROXY' }));
  assert.equal(desk.questions.size, 0);
});

test('two upstreams that are one place share what its host says', () => {
  const foreign = { namespace: 'shop', name: 'shop', hosts: ['redis-cluster.redis'] };
  const desk = deskWith(
    redisService(),
    redisService(foreign),
    redisDestination({ ...foreign, host: foreign.hosts[0] ?? '' }),
  );
  assert.deepEqual([...desk.questions.keys()].toSorted(), [HOST, `${HOST}@shop`]);
  desk.observe('cluster');
  const modes = desk.planner.plans().flatMap(({ upstreams }) => upstreams.map(({ mode }) => mode));
  assert.deepEqual(modes, ['cluster', 'cluster']);
});

test('a host is asked no longer once nobody routes to it', () => {
  const desk = deskWith(redisService());
  desk.change({ deleted: [redisService()] });
  assert.equal(desk.questions.size, 0);
});
