/** What an upstream is made of: its Service, EndpointSlices, Secrets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Tls } from '../../src/api/objects.ts';
import { deskWith } from './desk.ts';
import { redisDestination, redisService, secret, service, slice } from './objects.ts';

const authorities = (name: string): Tls => ({
  mode: 'SIMPLE',
  secretName: name,
  serverName: undefined,
  insecureSkipVerify: false,
});

test('of a Service of both address families, endpoints of one are taken: each server once', () => {
  const desk = deskWith(
    redisService(),
    redisDestination({ mode: 'PROXY' }),
    service(),
    slice(['10.0.0.1', '10.0.0.2']),
    slice(['fd00::1', 'fd00::2'], { name: 'v6', addressType: 'IPv6' }),
  );
  const upstream = desk.upstream();
  assert.ok(upstream?.mode === 'proxy' && upstream.servers.kind === 'endpoints');
  assert.deepEqual(
    upstream.servers.endpoints.map(({ address }) => address),
    ['10.0.0.1', '10.0.0.2'],
  );
});

test('the seed of a Redis Cluster behind an ExternalName is that name', () => {
  const desk = deskWith(
    redisService(),
    redisDestination({ mode: 'CLUSTER' }),
    service({ externalName: 'redis.example.com' }),
  );
  const upstream = desk.upstream();
  assert.ok(upstream?.mode === 'cluster');
  assert.deepEqual(upstream.seeds, [{ address: 'redis.example.com', port: 6379 }]);
});

test('last good certificates do not serve an object that asks for another Secret', () => {
  const desk = deskWith(
    redisService(),
    service(),
    slice(['10.0.0.1']),
    redisDestination({ mode: 'CLUSTER', tls: authorities('password') }),
    // The system's authorities.
    secret({}),
  );
  assert.equal(desk.upstream()?.mode, 'cluster');
  desk.put(redisDestination({ mode: 'CLUSTER', tls: authorities('elsewhere') }));
  assert.equal(desk.upstream()?.mode, 'unavailable');
});
