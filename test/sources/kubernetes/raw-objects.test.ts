import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ApiObject } from '../../../src/api/objects.ts';
import { parseObject } from '../../../src/api/parse.ts';
import { remember, storable } from '../../../src/sources/kubernetes/raw-objects.ts';
import type { RawObject } from '../../../src/sources/kubernetes/reflector.ts';

function parsed(value: unknown): ApiObject {
  const outcome = parseObject(value, () => undefined);
  return outcome.kind === 'object' ? outcome.object : assert.fail(JSON.stringify(outcome));
}

/** Functions aside. */
function plain(object: ApiObject): unknown {
  const text = JSON.stringify(object, (_key, value: unknown) => (value instanceof Map ? [...value] : value));
  return JSON.parse(text);
}

const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'cache', namespace: 'redis' },
  spec: {
    selector: { app: 'redis' },
    clusterIP: 'None',
    ports: [{ name: 'redis', port: 6379, targetPort: 7000 }],
  },
};
const SLICE = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'cache-1', namespace: 'redis', labels: { 'kubernetes.io/service-name': 'cache' } },
  addressType: 'IPv4',
  ports: [{ name: 'redis', port: 7000 }],
  endpoints: [{ addresses: ['192.0.2.1'], targetRef: { name: 'cache-0' } }],
};

const ADDRESSED = {
  ...SERVICE,
  spec: { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1', 'fd00::1'], ports: [{ port: 6379 }] },
};
const ENTRY = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { name: 'outside', namespace: 'redis' },
  spec: {
    hosts: ['redis.example.com'],
    resolution: 'STATIC',
    exportTo: ['.'],
    ports: [{ name: 'tcp-redis', number: 6379, protocol: 'TCP', targetPort: 7000 }],
    endpoints: [{ address: '192.0.2.1', ports: { 'tcp-redis': 7001 } }],
  },
  status: { addresses: [{ value: '240.240.0.1' }] },
};

for (const value of [SERVICE, ADDRESSED, SLICE, ENTRY]) {
  test(`a ${value.kind} that was stored is the same again`, () => {
    const object = parsed(value);
    assert.deepEqual(plain(parsed(storable(object))), plain(object));
  });
}

function redisService(auth: unknown): { readonly raw: RawObject; readonly object: ApiObject } {
  const raw = {
    apiVersion: 'redis.aeraki.io/v1alpha1',
    kind: 'RedisService',
    metadata: {
      name: 'cache',
      namespace: 'redis',
      uid: 'u',
      managedFields: [{}],
      annotations: { 'redpilot.dev/guards': 'off', 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
    },
    spec: { host: ['cache'], settings: { auth } },
  };
  const object = parsed(raw);
  remember(object, raw);
  return { raw, object };
}

test('of an object of ours is stored what decides what becomes of it', () => {
  const stored = storable(redisService({ secret: { name: 'clients' } }).object);
  assert.deepEqual(JSON.parse(JSON.stringify(stored)), {
    apiVersion: 'redis.aeraki.io/v1alpha1',
    kind: 'RedisService',
    metadata: { name: 'cache', namespace: 'redis', uid: 'u', annotations: { 'redpilot.dev/guards': 'off' } },
    spec: { host: ['cache'], settings: { auth: { secret: { name: 'clients' } } } },
  });
});

test('an object that holds a password itself is not stored, nor is a Secret', () => {
  assert.equal(storable(redisService({ plain: { password: 'word' } }).object), undefined);
  const secret = parsed({
    apiVersion: 'v1',
    kind: 'Secret',
    refusal: undefined,
    metadata: { name: 's' },
    stringData: { a: 'b' },
  });
  assert.equal(storable(secret), undefined);
});
