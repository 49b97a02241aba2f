/**
 * The faults of Aeraki's Redis support that a translation can have (docs/differences-from-aeraki.md lists them under these
 * numbers): none of them is ours.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseAllDocuments } from 'yaml';

import { formatDiagnostic } from '../src/api/diagnostic.ts';
import type { ApiObject } from '../src/api/objects.ts';
import { parseObject } from '../src/api/parse.ts';
import { translateObjects } from '../src/commands/translate-objects.ts';
import type { Messages } from '../src/envoy/codec.ts';
import { clusterMessage } from '../src/envoy/cluster.ts';
import { inMessage } from '../src/envoy/secret-place.ts';
import { staticConfiguration } from '../src/envoy/static-configuration.ts';
import { Planner } from '../src/plan/planner.ts';
import type { RoutingPlan, Upstream } from '../src/plan/routing-plan.ts';
import { World } from '../src/world/world.ts';

function objectsOf(yaml: string): readonly ApiObject[] {
  return parseAllDocuments(yaml).flatMap((document) => {
    const outcome = parseObject(document.toJS(), () => undefined);
    return outcome.kind === 'object' ? [outcome.object] : [];
  });
}

interface Translated {
  readonly plan: RoutingPlan;
  /** The static configuration, with passwords, as one text without white space. */
  readonly envoy: string;
  readonly said: readonly string[];
}

function translate(yaml: string): Translated {
  const refused = parseAllDocuments(yaml).flatMap((document) => {
    const outcome = parseObject(document.toJS(), () => undefined);
    return outcome.kind === 'passed-over' ? [] : outcome.diagnostics;
  });
  const { plan, diagnostics } = translateObjects(objectsOf(yaml));
  return {
    plan,
    envoy: JSON.stringify(staticConfiguration(plan, (secret) => secret.reveal())),
    said: [...refused, ...diagnostics].map(
      (one) => `${one.severity} ${one.reason}: ${formatDiagnostic(one)}`,
    ),
  };
}

const service = (spec: string, name = 'redis'): string => `
apiVersion: redis.aeraki.io/v1alpha1
kind: RedisService
metadata: {name: ${name}, namespace: redis}
spec: {host: [redis], ${spec}}
---`;
const destination = (policy: string, more = ''): string => `
apiVersion: redis.aeraki.io/v1alpha1
kind: RedisDestination
metadata: {name: redis${more}, namespace: redis}
spec: {host: redis, trafficPolicy: {${policy}}}
---`;
const host = (name: string, ports: string, address = '127.0.1.1', type = 'IPv4', more = ''): string => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: redis}
spec: {ports: [${ports}]${more}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, namespace: redis, labels: {kubernetes.io/service-name: ${name}}}
addressType: ${type}
ports: [${ports}]
endpoints: [{addresses: ["${address}"]}]
---`;
const redis = host('redis', '{name: redis, port: 6379}');
const copies = host('copies', '{name: redis, port: 7000}', '127.0.2.1');
const CLUSTER = destination('connectionPool: {redis: {mode: CLUSTER}}');

function clusterOf(
  { plan }: Translated,
  id = 'redis.redis.svc.cluster.local:6379',
): Messages['envoy.config.cluster.v3.Cluster'] {
  const upstream = plan.upstreams.get(id);
  assert.ok(upstream, [...plan.upstreams.keys()].join());
  return clusterMessage(upstream, {
    secrets: inMessage((secret) => secret.reveal()),
    place: 'inline',
    waitForWarm: false,
  });
}

const FAULTS: Readonly<Record<string, () => void>> = {
  '1: PREFER_REPLICA is sent as PREFER_REPLICA': () => {
    const { envoy } = translate(service('settings: {readPolicy: PREFER_REPLICA}') + redis + CLUSTER);
    assert.match(envoy, /"read_policy":"PREFER_REPLICA"/);
  },
  '2: caseInsensitive is honoured': () => {
    const { envoy } = translate(service('settings: {caseInsensitive: true}') + redis);
    assert.match(envoy, /"case_insensitive":true/);
  },
  '3: maxUpstreamUnknownConnections is honoured, 0 too': () => {
    const { envoy } = translate(service('settings: {maxUpstreamUnknownConnections: 0}') + redis);
    assert.match(envoy, /"max_upstream_unknown_connections":0/);
  },
  "4: a mirror has a port of its own, found by the mirror's host": () => {
    const rule = (mirror: string): string =>
      service(`redis: [{route: {host: redis}, mirror: [{route: ${mirror}}]}]`);
    for (const mirror of ['{host: copies, port: 7000}', '{host: copies}']) {
      assert.match(
        translate(rule(mirror) + redis + copies).envoy,
        /"request_mirror_policy":\[\{"cluster":"copies.redis.svc.cluster.local:7000"\}\]/,
      );
    }
  },
  '5: a missing Secret closes the listener, and its routes stay': () => {
    const { envoy, plan } = translate(
      service(
        'settings: {auth: {secret: {name: nowhere}}}, redis: [{match: {key: {prefix: a}}, route: {host: copies}}, {route: {host: redis}}]',
      ) +
        redis +
        copies,
    );
    assert.match(envoy, /"downstream_auth_username":\{"inline_string":"nobody"\}/);
    assert.doesNotMatch(envoy, /downstream_auth_passwords/);
    assert.equal(plan.listeners[0]?.listener.routes.prefixes.length, 1);
  },
  '6: a Secret without the password closes the listener, and says so': () => {
    const { envoy, said } = translate(`${service('settings: {auth: {secret: {name: s}}}')}
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: redis}
stringData: {other: x}
---${redis}`);
    assert.match(envoy, /"downstream_auth_username":\{"inline_string":"nobody"\}/);
    assert.ok(said.some((line) => line.startsWith('error SecretFieldMissing')));
  },
  "7: a Secret's username is read without usernameField": () => {
    const { envoy } = translate(`${service('settings: {auth: {secret: {name: s}}}')}
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: redis}
stringData: {username: app, password: x}
---${redis}`);
    assert.match(envoy, /"downstream_auth_username":\{"inline_string":"app"\}/);
  },
  '8: what lacks a percentage or a route is a whole, or a mistake with its place': () => {
    const { envoy } = translate(
      service(
        'redis: [{route: {host: redis}, mirror: [{route: {host: copies}}]}], faults: [{type: ERROR, commands: [GET]}]',
      ) +
        redis +
        copies,
    );
    assert.match(envoy, /"numerator":100,"denominator":"HUNDRED"\},?\}?,"commands":\["get"\]/);
    for (const rule of ['{}', '{route: {host: redis}, mirror: [{}]}']) {
      assert.match(
        translate(service(`redis: [${rule}]`) + redis).said.join('\n'),
        /error InvalidValue: .*route: is missing/,
      );
    }
  },
  '9: tcpKeepalive is carried out, in parts too': () => {
    const { upstream_connection_options: options } = clusterOf(
      translate(service('') + redis + destination('connectionPool: {tcp: {tcpKeepalive: {time: 60s}}}')),
    );
    assert.deepEqual(options?.tcp_keepalive, { keepalive_time: { value: 60 } });
  },
  '10: a missing upstream Secret or a bad seed sends nothing to Redis': () => {
    const withoutSecret = translate(
      service('') + redis + destination('connectionPool: {redis: {auth: {secret: {name: nowhere}}}}'),
    );
    assert.equal(withoutSecret.plan.upstreams.get('redis.redis.svc.cluster.local:6379')?.mode, 'unavailable');
    const badSeed = translate(
      service('') + redis + destination('connectionPool: {redis: {discoveryEndpoints: ["a:b:c"]}}'),
    );
    assert.match(badSeed.said.join('\n'), /error InvalidValue: .*discoveryEndpoints\[0\]/);
  },
  '11: several Redis ports have a listener each': () => {
    const { plan } = translate(
      service('') + host('redis', '{name: redis, port: 6379}, {name: redis-2, port: 6380}'),
    );
    assert.deepEqual(
      plan.listeners.map(({ listener }) => listener.port),
      [6379, 6380],
    );
  },
  '12: ports are found by name, appProtocol or number': () => {
    for (const port of [
      '{name: redis, port: 1}',
      '{name: redis-x, port: 1}',
      '{name: tcp-redis2, port: 1}',
      '{name: a, port: 1, appProtocol: redis}',
    ]) {
      assert.equal(
        translate(service('') + host('redis', `${port}, {name: web, port: 80}`)).plan.listeners[0]?.listener
          .port,
        1,
      );
    }
  },
  '13: a headless Service is served': () => {
    const { plan } = translate(
      service('') + host('redis', '{name: redis, port: 6379}', '127.0.1.1', 'IPv4', ', clusterIP: None'),
    );
    assert.equal(plan.listeners.length, 1);
  },
  '14: every host of an object is served, in every spelling': () => {
    const { plan } = translate(
      service('').replace('[redis]', '[redis.redis, COPIES.redis.svc]') + redis + copies,
    );
    assert.deepEqual(plan.listeners.map(({ listener }) => listener.host).sort(), [
      'copies.redis.svc.cluster.local',
      'redis.redis.svc.cluster.local',
    ]);
  },
  '15: of two objects for a host the older one wins, and the other is told': () => {
    const { plan, said } = translate(service('', 'b') + service('', 'a') + redis);
    assert.equal(plan.listeners[0]?.listener.origin.name, 'a');
    assert.ok(said.some((line) => line.startsWith('error HostConflict: RedisService redis/b')));
  },
  '16: plaintext needs no transport socket': () => {
    const cluster = clusterOf(
      translate(service('') + redis + destination('connectionPool: {tcp: {connectTimeout: 1s}}')),
    );
    assert.equal(cluster.transport_socket, undefined);
  },
  '17: passwords stand in the field that Envoy wants': () => {
    const { envoy } = translate(service('settings: {auth: {plain: {password: x}}}') + redis);
    assert.match(envoy, /"downstream_auth_passwords":\[\{"inline_string":"x"\}\]/);
    assert.doesNotMatch(envoy, /"downstream_auth_password":/);
  },
  '19: no dump shows a password': () => {
    const { plan } = translate(
      service('settings: {auth: {plain: {password: never-shown}}}') +
        redis +
        destination('connectionPool: {redis: {auth: {plain: {password: never-shown}}}}'),
    );
    assert.doesNotMatch(JSON.stringify(staticConfiguration(plan, String)), /never-shown/);
    assert.doesNotMatch(JSON.stringify([...plan.upstreams.values()]), /never-shown/);
  },
  '22: a changed Secret is followed at once': () => {
    const secret = (password: string): string => `
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: redis}
stringData: {password: ${password}}
---`;
    const desk = new Desk(service('settings: {auth: {secret: {name: s}}}') + redis + secret('old'));
    const planned = desk.put(secret('new'));
    assert.deepEqual(planned, ['RedisService/redis/redis']);
    const auth = desk.planner.plans()[0]?.listeners[0]?.clientAuth;
    assert.equal(auth?.kind === 'password' ? auth.password.reveal() : undefined, 'new');
  },
  '23: IPv6 endpoints are served': () => {
    const { envoy } = translate(service('') + host('redis', '{name: redis, port: 6379}', '::1', 'IPv6'));
    assert.match(envoy, /"address":"::1"/);
  },
  '24: every problem is told, with its field and a remedy': () => {
    assert.match(
      translate(service('settings: {readPolicy: REPLICAS}') + redis).said.join('\n'),
      /error InvalidValue: RedisService redis\/redis: spec.settings.readPolicy: "REPLICAS" .*; write REPLICA /,
    );
  },
  '25: timeouts, refresh and health are set, and host names in redirections are resolved': () => {
    const { envoy } = translate(service('settings: {readPolicy: REPLICA}') + redis + CLUSTER);
    for (const part of [
      /"op_timeout":"5s"/,
      /"cluster_refresh_rate":"1s"/,
      /"health_checks":\[/,
      /"outlier_detection":/,
      /"dns_cache_config":/,
    ])
      assert.match(envoy, part);
  },
  '26: a host with DNS names has its endpoints in the cluster, and one without endpoints is not empty':
    () => {
      const external = translate(service('').replace('[redis]', '[redis.example.com]'));
      assert.match(external.envoy, /"type":"STRICT_DNS".*"address":"redis.example.com"/);
      const empty = translate(
        `${service('')}\napiVersion: v1\nkind: Service\nmetadata: {name: redis, namespace: redis}\nspec: {ports: [{name: redis, port: 6379}]}\n`,
      );
      assert.match(empty.envoy, /"address":"127.255.255.254"/);
    },
  '27: a change plans only what it concerns': () => {
    const others = Array.from({ length: 50 }, (_, at) =>
      service('', `other-${at}`).replace('[redis]', `[h${at}.example.com]`),
    );
    const desk = new Desk(service('') + redis + others.join(''));
    const before = desk.upstreams();
    assert.deepEqual(desk.put(host('redis', '{name: redis, port: 6379}', '127.0.1.9')), [
      'RedisService/redis/redis',
    ]);
    const changed = desk.upstreams().filter((upstream, at) => upstream !== before[at]);
    assert.equal(changed.length, 1);
  },
};

/** A World and its plans, changed step by step. */
class Desk {
  readonly planner = new Planner();
  #world = World.empty({ clusterDomain: 'cluster.local' });

  constructor(yaml: string) {
    this.put(yaml);
  }

  put(yaml: string): string[] {
    const { world, changed } = this.#world.apply({ set: objectsOf(yaml), deleted: [] });
    this.#world = world;
    return [...this.planner.update(world, changed)].sort();
  }

  upstreams(): readonly Upstream[] {
    return this.planner.plans().flatMap(({ upstreams }) => upstreams);
  }
}

for (const [name, check] of Object.entries(FAULTS)) test(`Aeraki's fault ${name}`, check);
