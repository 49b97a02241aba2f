import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parsed, said } from './parsing.ts';

const destination = (redis: object = {}, tcp: object = {}, policy: object = {}): object => ({
  spec: { host: 'a', trafficPolicy: { connectionPool: { redis, tcp }, ...policy } },
});

test('a host alone is enough', () => {
  const { host, mode, auth, discoveryEndpoints, connectTimeoutMs } = parsed('RedisDestination', {
    spec: { host: 'a' },
  });
  assert.deepEqual(
    { host, mode, auth, discoveryEndpoints, connectTimeoutMs },
    { host: 'a', mode: undefined, auth: undefined, discoveryEndpoints: [], connectTimeoutMs: undefined },
  );
});

for (const [index, mode] of ['PROXY', 'CLUSTER'].entries()) {
  test(`the mode ${mode} may be written as ${index}`, () => {
    assert.equal(parsed('RedisDestination', destination({ mode })).mode, mode);
    assert.equal(parsed('RedisDestination', destination({ mode: index })).mode, mode);
  });
}

test('seeds may be given with mode CLUSTER and without a mode', () => {
  const discoveryEndpoints = ['a', 'b:1', '10.0.0.1:2', '[::1]:3'];
  for (const mode of ['CLUSTER', undefined]) {
    assert.deepEqual(
      parsed('RedisDestination', destination({ mode, discoveryEndpoints })).discoveryEndpoints,
      [
        { host: 'a', port: undefined },
        { host: 'b', port: 1 },
        { host: '10.0.0.1', port: 2 },
        { host: '::1', port: 3 },
      ],
    );
  }
  assert.equal(said('RedisDestination', destination({ mode: 'PROXY', discoveryEndpoints })).length, 1);
});

test('the time to connect is read into milliseconds', () => {
  assert.equal(
    parsed('RedisDestination', destination({}, { connectTimeout: '1.5s' })).connectTimeoutMs,
    1_500,
  );
});

test('no TLS may be said aloud', () => {
  assert.deepEqual(said('RedisDestination', destination({}, {}, { tls: { mode: 'DISABLE' } })), []);
});

test('limits and keepalive are read, a block with some fields only too', () => {
  const { maxConnections, tcpKeepalive } = parsed(
    'RedisDestination',
    destination({}, { maxConnections: 5, tcpKeepalive: { probes: 3, time: '2m' } }),
  );
  assert.equal(maxConnections, 5);
  assert.deepEqual(tcpKeepalive, { probes: 3, timeSeconds: 120, intervalSeconds: undefined });
});

test('at most 0 connections are as many as there may be', () => {
  assert.equal(parsed('RedisDestination', destination({}, { maxConnections: 0 })).maxConnections, undefined);
});

const tls: [text: object, read: object][] = [
  [{ mode: 'SIMPLE' }, { mode: 'SIMPLE' }],
  [
    { mode: 'SIMPLE', insecureSkipVerify: true },
    { mode: 'SIMPLE', insecureSkipVerify: true },
  ],
  [
    { mode: 'MUTUAL', secret: { name: 's' }, serverName: 'redis.example.com' },
    { mode: 'MUTUAL', secretName: 's', serverName: 'redis.example.com' },
  ],
];
for (const [text, read] of tls) {
  test(`TLS ${JSON.stringify(text)} is read`, () => {
    const nothing = { secretName: undefined, serverName: undefined, insecureSkipVerify: false };
    assert.deepEqual(parsed('RedisDestination', destination({}, {}, { tls: text })).tls, {
      ...nothing,
      ...read,
    });
  });
}
