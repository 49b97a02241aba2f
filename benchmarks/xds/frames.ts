/**
 * gRPC messages of discovery responses as they arrive, piece by piece: counted and told apart, not decoded. Of a message
 * only its version, type and nonce are read, resources are passed over.
 *
 *   1 byte compressed, 4 bytes length, then fields: 1 version, 2 resource, 4 type_url, 5 nonce, 6 removed
 */
export interface Frame {
  readonly version: string;
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: number;
  readonly bytes: number;
}

const HEAD_BYTES = 5;

export class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  /** Bytes of a head that has arrived in part: of the message, or of a field. */
  #head = Buffer.alloc(0);
  #left = 0;
  #size = 0;
  #isInMessage = false;
  /** Bytes of the field that are still to come; its number, and what is kept of it. */
  #fieldLeft = 0;
  #field = 0;
  #kept: Buffer[] = [];
  #texts = new Map<number, string>();
  #resources = 0;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  read(chunk: Buffer): void {
    let rest = this.#head.length > 0 ? Buffer.concat([this.#head, chunk]) : chunk;
    this.#head = Buffer.alloc(0);
    while (rest.length > 0) {
      const taken = this.#isInMessage ? this.#readField(rest) : this.#readHead(rest);
      if (taken === 0) {
        this.#head = Buffer.from(rest);
        return;
      }
      rest = rest.subarray(taken);
      if (this.#isInMessage && this.#left === 0) this.#finish();
    }
  }

  #readHead(bytes: Buffer): number {
    if (bytes.length < HEAD_BYTES) return 0;
    this.#size = bytes.readUInt32BE(1);
    this.#left = this.#size;
    this.#isInMessage = true;
    return HEAD_BYTES;
  }

  #readField(bytes: Buffer): number {
    if (this.#fieldLeft > 0) {
      const taken = Math.min(this.#fieldLeft, bytes.length);
      if (this.#field !== 2) this.#kept.push(Buffer.from(bytes.subarray(0, taken)));
      this.#took(taken);
      return taken;
    }
    let length = 0;
    for (let at = 1; at < bytes.length; at += 1) {
      const byte = bytes[at] ?? 0;
      length += (byte & 0x7f) * 2 ** (7 * (at - 1));
      if (byte >= 0x80) continue;
      this.#field = (bytes[0] ?? 0) >> 3;
      if (this.#field === 2) this.#resources += 1;
      this.#left -= at + 1;
      this.#fieldLeft = length;
      if (length === 0) this.#took(0);
      return at + 1;
    }
    return 0;
  }

  #took(count: number): void {
    this.#left -= count;
    this.#fieldLeft -= count;
    if (this.#fieldLeft > 0) return;
    if (this.#field !== 2) this.#texts.set(this.#field, Buffer.concat(this.#kept).toString());
    this.#kept = [];
  }

  #finish(): void {
    const text = (field: number): string => this.#texts.get(field) ?? '';
    const frame = { version: text(1), typeUrl: text(4), nonce: text(5), resources: this.#resources };
    this.#isInMessage = false;
    this.#texts = new Map();
    this.#resources = 0;
    this.#onFrame({ ...frame, bytes: this.#size });
  }
}

/** A request as the length-delimited fields of its message, with the head of gRPC. */
export function requestFrame(fields: readonly (readonly [number: number, value: string | Buffer])[]): Buffer {
  const parts = fields.flatMap(([number, value]) => {
    const bytes = Buffer.from(value);
    const head = bytes.length < 0x80 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >> 7];
    return [Buffer.from([(number << 3) | 2, ...head]), bytes];
  });
  const message = Buffer.concat(parts);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
