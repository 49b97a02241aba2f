/**
 * Discovery responses from bytes: the other way of `wire.ts`, where the numbers of the fields stand.
 *
 * Resources stay bytes, each for itself: who can't read one can say which, and go on with the others.
 */
import type { Variant } from './requests.ts';

export interface ReceivedResource {
  readonly name: string;
  /** undefined in the state of the world, where only responses have versions. */
  readonly version: string | undefined;
  readonly typeUrl: string;
  /** The encoded message, without its Any. */
  readonly bytes: Uint8Array;
}

export interface Received {
  readonly typeUrl: string;
  readonly version: string;
  readonly nonce: string;
  readonly resources: readonly ReceivedResource[];
  readonly removed: readonly string[];
}

/** Fails where the bytes are no message. */
export function readResponse(variant: Variant, bytes: Uint8Array): Received {
  const fields = fieldsOf(bytes);
  const resources = fields.get(2) ?? [];
  return {
    typeUrl: textOf(fields, 4),
    version: textOf(fields, 1),
    nonce: textOf(fields, 5),
    resources: resources.map(variant === 'delta' ? deltaResource : worldResource),
    // Number 6 is the control plane's name in the state of the world.
    removed: variant === 'delta' ? (fields.get(6) ?? []).map(text) : [],
  };
}

function deltaResource(bytes: Uint8Array): ReceivedResource {
  const fields = fieldsOf(bytes);
  return { name: textOf(fields, 3), version: textOf(fields, 1), ...anyOf(fields.get(2)?.at(-1)) };
}

/** Clusters, endpoints and listeners have their name in field 1. */
function worldResource(bytes: Uint8Array): ReceivedResource {
  const inner = anyOf(bytes);
  return { name: textOf(fieldsOf(inner.bytes), 1), version: undefined, ...inner };
}

function anyOf(bytes: Uint8Array = NOTHING): Pick<ReceivedResource, 'typeUrl' | 'bytes'> {
  const fields = fieldsOf(bytes);
  return { typeUrl: textOf(fields, 1), bytes: fields.get(2)?.at(-1) ?? NOTHING };
}

const NOTHING = new Uint8Array();

type Fields = ReadonlyMap<number, readonly Uint8Array[]>;

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

function textOf(fields: Fields, number: number): string {
  return text(fields.get(number)?.at(-1) ?? NOTHING);
}

/** The length-delimited fields by number, in their order; others are passed over. */
function fieldsOf(bytes: Uint8Array): Fields {
  const fields = new Map<number, Uint8Array[]>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw new Error('the response is cut off');
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        varint();
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const length = varint();
        const values = fields.get(number) ?? [];
        fields.set(number, values);
        values.push(bytes.subarray(at, at + length));
        at += length;
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        throw new Error(`the response has a field of wire type ${tag % 8}`);
    }
    if (at > bytes.length) throw new Error('the response is cut off');
  }
  return fields;
}
