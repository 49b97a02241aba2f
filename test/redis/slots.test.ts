import assert from 'node:assert/strict';
import { test } from 'node:test';

import { hashTag, slotOf } from '../../src/redis/slots.ts';

const CASES: [key: string, slot: number][] = [
  // CRC16 0x31C3, as the specification has it.
  ['123456789', 0x31c3 & 16_383],
  ['', 0],
  ['foo', 12_182],
  ['{foo}bar', 12_182],
  ['bar{foo}', 12_182],
  ['a{foo}{bar}', 12_182],
  ['foo{}', slotWhole('foo{}')],
  ['foo{', slotWhole('foo{')],
  ['{foo', slotWhole('{foo')],
];

for (const [key, slot] of CASES) {
  test(`"${key}" is in slot ${slot}`, () => {
    const bytes = Buffer.from(`before${key}}behind`);
    assert.equal(slotOf(bytes, 6, 6 + key.length), slot);
  });
}

test('the hash tag is what decides', () => {
  assert.equal(Buffer.from(hashTag(Buffer.from('a{b}{c}'))).toString(), 'b');
  assert.equal(Buffer.from(hashTag(Buffer.from('{}a'))).toString(), '{}a');
});

/** Bit by bit, of the whole key. */
function slotWhole(key: string): number {
  let crc = 0;
  for (const byte of Buffer.from(key)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
    crc &= 0xffff;
  }
  return crc & 16_383;
}

test('of keys with a hash tag that does not end each costs what it is long, whatever stands behind it', () => {
  const bytes = Buffer.alloc(33_554_432, '{');
  const before = process.cpuUsage();
  for (let key = 0; key < 1_000; key++) slotOf(bytes, key, key + 10);
  assert.ok(process.cpuUsage(before).user < 1_000_000);
});
