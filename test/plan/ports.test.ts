import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ServicePort } from '../../src/api/objects.ts';
import { redisPorts } from '../../src/plan/ports.ts';
import { service } from './objects.ts';

const port = (number: number, name = '', appProtocol?: string): ServicePort => ({
  name,
  port: number,
  targetPort: undefined,
  appProtocol,
});

const cases: [what: string, ports: ServicePort[], expected: number[]][] = [
  ['every port named redis*', [port(7000, 'redis'), port(7001, 'redis-tls'), port(80, 'http')], [7000, 7001]],
  ['a port named tcp-redis*', [port(7000, 'tcp-redis-main'), port(6379, 'other')], [7000]],
  ['else one with appProtocol redis', [port(7000, 'main', 'redis'), port(6379, 'other')], [7000]],
  ['else 6379', [port(6379, 'main'), port(80, 'http')], [6379]],
  ['else the only one', [port(7000, 'main')], [7000]],
  ['else none', [port(80, 'http'), port(443, 'https')], []],
];
for (const [what, ports, expected] of cases) {
  test(`the Redis ports of a Service: ${what}`, () =>
    assert.deepEqual(redisPorts(service({ ports })), expected));
}
