import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { everyAddress } from '../../src/commands/arguments.ts';
import { proxyCommand } from '../../src/commands/proxy.ts';
import { serveCommand } from '../../src/commands/serve.ts';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

function redpilot(
  args: readonly string[],
  input: string,
): { readonly status: number | null; readonly stdout: string } {
  return spawnSync(process.execPath, [CLI, ...args], { input, encoding: 'utf8' });
}

const listening = (address: string): string => `
apiVersion: redis.aeraki.io/v1alpha1
kind: RedisService
metadata: {name: a, annotations: {redpilot.dev/listen: "${address}"}}
spec: {host: [redis.example.com]}
`;

test('translate --to hosts prints where listeners listen: an own address for each host, or what an annotation says', () => {
  const objects = `${listening('127.0.0.5:6379')}---
apiVersion: redis.aeraki.io/v1alpha1
kind: RedisService
metadata: {name: b}
spec: {host: [other.example.com]}
`;
  const { stdout, status } = redpilot(['translate', '--config', '-', '--to', 'hosts'], objects);
  assert.equal(status, 0);
  assert.match(stdout, /^127\.0\.0\.5 redis\.example\.com$/m);
  assert.match(stdout, /^127\.(?!0\.)\d+\.\d+\.\d+ other\.example\.com$/m);
});

test('validate takes an address beyond loopback where --allow-bind allows it', () => {
  const objects = listening('10.1.2.3:6379');
  assert.equal(redpilot(['validate', '-'], objects).status, 1);
  assert.equal(redpilot(['validate', '-', '--allow-bind', '192.168.0.0/16,10.0.0.0/8'], objects).status, 0);
});

test('bootstrap says the zone and the address of the node', () => {
  const args = [
    'bootstrap',
    '--xds-address',
    '127.0.0.1:1',
    '--node-id',
    'a',
    '--zone',
    'east',
    '--bind',
    'auto',
  ];
  const { node } = JSON.parse(redpilot(args, '').stdout) as {
    readonly node: { readonly locality: object; readonly metadata: Readonly<Record<string, unknown>> };
  };
  assert.deepEqual(node.locality, { zone: 'east' });
  assert.equal(node.metadata['redpilot.bind'], 'auto');
});

const wrong: readonly (readonly string[])[] = [
  ['translate', '--config', '-', '--bind', 'localhost'],
  ['validate', '-', '--allow-bind', '10.0.0.0'],
  ['validate', '-', '--allow-bind', '10.0.0.0/33'],
  ['serve', '--config', '/nowhere', '--default-export-to', 'Shop'],
];
for (const args of wrong) {
  test(`${args.join(' ')} is a wrong call`, () => assert.equal(redpilot(args, '').status, 2));
}

test('proxy --listen :PORT is for clients of IPv6 and IPv4, where the machine has both', () => {
  const of = (family: 'IPv4' | 'IPv6'): NetworkInterfaceInfo => ({ family }) as NetworkInterfaceInfo;
  assert.equal(everyAddress({ lo: [of('IPv4'), of('IPv6')] }), '::');
  assert.equal(everyAddress({ lo: [of('IPv4')] }), '0.0.0.0');
  const listen = proxyCommand().options.find(({ long }) => long === '--listen');
  assert.deepEqual(listen?.parseArg?.(':6379', undefined), { address: everyAddress(), port: 6_379 });
});

test('so is :PORT wherever a command listens', () => {
  for (const [command, flag] of [
    [proxyCommand(), '--admin-address'],
    [serveCommand(), '--admin-address'],
    [serveCommand(), '--xds-address'],
  ] as const) {
    const option = command.options.find(({ long }) => long === flag);
    assert.deepEqual(option?.parseArg?.(':19001', undefined), { host: everyAddress(), port: 19_001 });
    assert.throws(() => option?.parseArg?.(':port', undefined), /HOST:PORT/);
  }
});
