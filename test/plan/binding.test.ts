import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';

import type { ListenAddress } from '../../src/api/objects.ts';
import { translateObjects } from '../../src/commands/translate-objects.ts';
import type { SocketAddress } from '../../src/plan/routing-plan.ts';
import { NO_ANNOTATIONS, redisService, service, slice } from './objects.ts';

const allowBind = new BlockList();
allowBind.addSubnet('10.0.0.0', 8, 'ipv4');
allowBind.addSubnet('fd00::', 8, 'ipv6');

function bindsOf(
  hosts: readonly string[],
  listen: readonly ListenAddress[],
): { readonly binds: readonly SocketAddress[]; readonly errors: number } {
  const ports = [6379, 6380].map((port) => ({
    name: `redis-${port}`,
    port,
    targetPort: undefined,
    appProtocol: undefined,
  }));
  const objects = [
    redisService({ hosts, annotations: { ...NO_ANNOTATIONS, listen } }),
    service({ ports }),
    slice(['10.0.0.1'], { ports }),
  ];
  const { plan, diagnostics } = translateObjects(objects, { allowBind });
  return {
    binds: plan.listeners.map(({ bind }) => bind),
    errors: diagnostics.filter(({ severity }) => severity === 'error').length,
  };
}

const at = (address: string, port: number, of?: ListenAddress['of']): ListenAddress => ({
  of,
  address,
  port,
});

test('an address may lie where it is allowed, and nowhere else beyond loopback', () => {
  for (const address of ['10.1.2.3', 'fd00::1', '127.9.9.9', '::1']) {
    assert.deepEqual(bindsOf(['a.localhost'], [at(address, 1)]).binds, [{ address, port: 1 }]);
  }
  for (const address of ['192.0.2.1', '0.0.0.0', '::', 'fe80::1']) {
    assert.deepEqual(bindsOf(['a.localhost'], [at(address, 1)]), { binds: [], errors: 1 });
  }
});

test('a host is meant in every spelling, and a port of several is named', () => {
  for (const host of ['redis-cluster', 'redis-cluster.redis', 'redis-cluster.redis.svc.cluster.local']) {
    const { binds } = bindsOf(
      ['redis-cluster'],
      [at('127.0.0.2', 1, { host, port: 6380 }), at('127.0.0.3', 2, { host, port: 6379 })],
    );
    assert.deepEqual(binds, [
      { address: '127.0.0.3', port: 2 },
      { address: '127.0.0.2', port: 1 },
    ]);
  }
  assert.equal(
    bindsOf(['redis-cluster'], [at('127.0.0.2', 1, { host: 'redis-cluster', port: undefined })]).errors,
    1,
  );
});

test('what no entry names listens as without the annotation', () => {
  const { binds } = bindsOf(['redis-cluster'], [at('127.0.0.2', 1, { host: 'redis-cluster', port: 6380 })]);
  assert.deepEqual(binds, [
    { address: '127.0.0.1', port: 6379 },
    { address: '127.0.0.2', port: 1 },
  ]);
});
