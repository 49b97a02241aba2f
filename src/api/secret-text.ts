/**
 * A text that must not be shown: a password or key. A password may be bytes that are no text.
 *
 * Every way of printing it (template, JSON, util.inspect, pino) gives `[redacted]`; `reveal` is called only where
 * bytes are written to Envoy or Redis, or where the user asked for `--show-secrets`.
 */
const REDACTED = '[redacted]';

/** The field of a Secret that a text was read from. */
export interface SecretSource {
  readonly namespace: string;
  readonly name: string;
  readonly field: string;
  /** The field has white space around it that the text has not. */
  readonly isTrimmed: boolean;
}

export class SecretText {
  readonly #text: string;
  /** Where it is not UTF-8; the text then has a mark in the place of what is not. */
  readonly #raw: Buffer | undefined;
  /** undefined: it stands in the object that uses it. */
  readonly source: SecretSource | undefined;

  /** The namespace of the object that it stands in, where that was noted. */
  readonly statedIn: string | undefined;

  constructor(content: string | Buffer, source?: SecretSource, statedIn?: string) {
    this.#text = content.toString();
    this.#raw = typeof content === 'string' || Buffer.from(this.#text).equals(content) ? undefined : content;
    this.source = source;
    this.statedIn = statedIn;
  }

  get isText(): boolean {
    return this.#raw === undefined;
  }

  /** Of what is no text only `bytes` are the secret itself. */
  reveal(): string {
    return this.#text;
  }

  bytes(): Buffer {
    return this.#raw ?? Buffer.from(this.#text);
  }

  /** Without white space around it; undefined if nothing is left. */
  trimmed(): SecretText | undefined {
    const content = this.#raw === undefined ? this.#text.trim() : trimmedBytes(this.#raw);
    if (content.length === 0) return undefined;
    if (content.length === (this.#raw ?? this.#text).length) return this;
    return new SecretText(content, this.source && { ...this.source, isTrimmed: true });
  }

  standingIn(namespace: string): SecretText {
    return new SecretText(this.#raw ?? this.#text, this.source, namespace);
  }

  /** The same content, read from the same Secret. */
  equals(other: SecretText): boolean {
    return this.bytes().equals(other.bytes()) && sameSource(this.source, other.source);
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return REDACTED;
  }
}

/** Without the white space that an editor or `echo` adds. */
function trimmedBytes(bytes: Buffer): Buffer {
  const around = new Set(Buffer.from(' \t\r\n'));
  let [start, end] = [0, bytes.length];
  while (start < end && around.has(bytes[start]!)) start += 1;
  while (end > start && around.has(bytes[end - 1]!)) end -= 1;
  return bytes.subarray(start, end);
}

function sameSource(a: SecretSource | undefined, b: SecretSource | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.namespace === b.namespace && a.name === b.name && a.field === b.field && a.isTrimmed === b.isTrimmed
  );
}
