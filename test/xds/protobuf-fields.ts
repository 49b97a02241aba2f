/**
 * The length-delimited fields of a Protobuf message, by number.
 */
import assert from 'node:assert/strict';

export function fieldsOf(bytes: Buffer): ReadonlyMap<number, readonly Buffer[]> {
  const fields = new Map<number, Buffer[]>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes.readUInt8(at);
      at += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    assert.equal(tag & 7, 2, `wire type of field ${tag >> 3}`);
    const length = varint();
    assert.ok(at + length <= bytes.length, `field ${tag >> 3} is cut off`);
    const values = fields.get(tag >> 3) ?? [];
    fields.set(tag >> 3, [...values, bytes.subarray(at, at + length)]);
    at += length;
  }
  return fields;
}
