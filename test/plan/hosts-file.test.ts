import assert from 'node:assert/strict';
import { test } from 'node:test';

import { translateObjects } from '../../src/commands/translate-objects.ts';
import { hostsFile } from '../../src/plan/hosts-file.ts';
import { loopbackAddress } from '../../src/plan/loopback-address.ts';
import { AUTO_BIND } from '../../src/plan/view.ts';
import { redisService, service, slice } from './objects.ts';

test('each host has a line with its address and every form of its name that says its namespace', () => {
  const objects = [
    redisService(),
    service(),
    slice(['10.0.0.1']),
    redisService({ name: 'b', hosts: ['redis.example.com'] }),
    redisService({ name: 'c', hosts: ['192.0.2.1'] }),
  ];
  const { plan } = translateObjects(objects, { bindAddress: AUTO_BIND });
  const full = 'redis-cluster.redis.svc.cluster.local';
  assert.deepEqual(
    hostsFile(plan, 'cluster.local').trim().split('\n').toSorted(),
    [
      `${loopbackAddress(full)} ${full} redis-cluster.redis.svc redis-cluster.redis`,
      `${loopbackAddress('redis.example.com')} redis.example.com`,
    ].toSorted(),
  );
});
