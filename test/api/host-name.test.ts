import assert from 'node:assert/strict';
import { test } from 'node:test';

import { hostKey, serviceOfHostKey } from '../../src/api/host-name.ts';

const keys: [text: string, domain: string, key: string][] = [
  ['redis', 'cluster.local', 'redis.app.svc.cluster.local'],
  ['redis.data', 'cluster.local', 'redis.data.svc.cluster.local'],
  ['redis.data.svc', 'cluster.local', 'redis.data.svc.cluster.local'],
  ['redis.data.svc.cluster.local', 'cluster.local', 'redis.data.svc.cluster.local'],
  ['Redis.Data.SVC.', 'cluster.local', 'redis.data.svc.cluster.local'],
  ['redis.data.svc.cluster.local', 'corp.example', 'redis.data.svc.cluster.local'],
  ['redis.data.svc', 'corp.example', 'redis.data.svc.corp.example'],
  ['redis.example.com', 'cluster.local', 'redis.example.com'],
  ['a.b.c.svc', 'cluster.local', 'a.b.c.svc'],
  ['10.0.0.1', 'cluster.local', '10.0.0.1'],
  ['::1', 'cluster.local', '::1'],
  ['FE80::A', 'cluster.local', 'fe80::a'],
  ['0:0:0:0:0:0:0:1', 'cluster.local', '::1'],
  ['2001:DB8:0:0::0001', 'cluster.local', '2001:db8::1'],
  ['fe80::1%eth0', 'cluster.local', 'fe80::1%eth0'],
];

for (const [text, domain, key] of keys) {
  test(`${text} in namespace app and domain ${domain} is ${key}`, () => {
    assert.equal(hostKey(text, 'app', domain), key);
    assert.equal(hostKey(key, 'elsewhere', domain), key, 'and stays so');
  });
}

const services: [key: string, domain: string, service: string | undefined][] = [
  ['redis.data.svc.cluster.local', 'cluster.local', 'data/redis'],
  ['redis.data.svc.corp.example', 'corp.example', 'data/redis'],
  ['redis.data.svc.cluster.local', 'corp.example', undefined],
  ['pod.redis.data.svc.cluster.local', 'cluster.local', undefined],
  ['data.svc.cluster.local', 'cluster.local', undefined],
  ['redis.example.com', 'cluster.local', undefined],
  ['10.0.0.1', 'cluster.local', undefined],
];

for (const [key, domain, expected] of services) {
  test(`in domain ${domain} ${key} names ${expected ?? 'no Service'}`, () => {
    const service = serviceOfHostKey(key, domain);
    assert.equal(service && `${service.namespace}/${service.name}`, expected);
  });
}
