import assert from 'node:assert/strict';
import { test } from 'node:test';

import { murmurHash64, xxHash64 } from '../../src/redis/hashes.ts';
import { maglevHost, maglevTable } from '../../src/redis/maglev.ts';

/** Seen of a real Envoy 1.40; test/e2e/proxy-maglev.test.ts asks one. */
const KEY_HASHES: [key: string, hash: bigint][] = [
  ['', 0x553e93901e462a6en],
  ['foo', 0x85a8e535edf11e5an],
  ['hello world', 0x4d6686d362067ff9n],
  ['user:1000', 0x8994edea5eccefdbn],
  ['12345678', 0x8c5b90a33a04dca5n],
  ['123456789', 0xaaeb28d3d5f165c0n],
  ['\u0000\u00ff', 0x5610abd31095160cn],
];

for (const [key, hash] of KEY_HASHES) {
  test(`the key ${JSON.stringify(key)} hashes as in Envoy`, () => {
    assert.equal(murmurHash64(Buffer.from(key, 'latin1')), hash);
  });
}

test('a host hashes as in Envoy', () => {
  const text = Buffer.from('10.0.0.1:6379');
  assert.equal(xxHash64(text, 0n), 5_034_166_051_608_515_546n);
  assert.equal(xxHash64(text, 1n), 1_303_694_921_201_751_962n);
});

test('texts of 32 bytes and more hash as in the reference implementation', () => {
  const text = 'Call me Ishmael. Some years ago--never mind how long precisely-';
  assert.equal(xxHash64(Buffer.from(text), 0n), 0x02a2e85470d6fd96n);
});

const HOSTS = ['10.0.0.1:6379', '10.0.0.2:6379', '10.0.0.3:6379'];

const TABLES: [weights: number[], start: string, counts: number[]][] = [
  [[1, 1, 1], '3 1 3 2 3 2 1 1 3 2 2 3 3 1 2 3', [21_846, 21_846, 21_845]],
  [[1, 2, 3], '3 3 3 2 3 2 3 1 3 2 2 3 3 1 2 3', [10_923, 21_846, 32_768]],
];

for (const [weights, start, counts] of TABLES) {
  test(`three hosts of weights ${weights.join(', ')} share the table as in Envoy`, () => {
    const table = maglevTable(HOSTS.map((text, index) => ({ text, weight: weights[index] ?? 1 })));
    const seen = [...table.subarray(0, 16)].map((index) => index + 1).join(' ');
    assert.equal(seen, start);
    assert.deepEqual(
      HOSTS.map((_, index) => table.filter((host) => host === index).length),
      counts,
    );
  });
}

const KEY_HOSTS: [key: string, host: number][] = [
  ['foo', 2],
  ['hello world', 3],
  ['user:1000', 1],
  ['', 2],
  ['12345678', 3],
];

for (const [key, host] of KEY_HOSTS) {
  test(`the key "${key}" has the host that Envoy gives it`, () => {
    const table = maglevTable(HOSTS.map((text) => ({ text, weight: 1 })));
    assert.equal(maglevHost(table, Buffer.from(key), false) + 1, host);
  });
}

test('with tags, only the tag decides', () => {
  const table = maglevTable(HOSTS.map((text) => ({ text, weight: 1 })));
  assert.equal(
    maglevHost(table, Buffer.from('x{user:1000}y'), true),
    maglevHost(table, Buffer.from('user:1000'), true),
  );
});
