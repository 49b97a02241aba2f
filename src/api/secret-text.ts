/**
 * A text that must not be shown: a password or key.
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
  /** undefined: it stands in the object that uses it. */
  readonly source: SecretSource | undefined;

  /** The namespace of the object that it stands in, where that was noted. */
  readonly statedIn: string | undefined;

  constructor(text: string, source?: SecretSource, statedIn?: string) {
    this.#text = text;
    this.source = source;
    this.statedIn = statedIn;
  }

  reveal(): string {
    return this.#text;
  }

  /** Without white space around it; undefined if nothing is left. */
  trimmed(): SecretText | undefined {
    const text = this.#text.trim();
    if (text === '') return undefined;
    if (text === this.#text) return this;
    return new SecretText(text, this.source && { ...this.source, isTrimmed: true });
  }

  standingIn(namespace: string): SecretText {
    return new SecretText(this.#text, this.source, namespace);
  }

  /** The same text, read from the same Secret. */
  equals(other: SecretText): boolean {
    return this.#text === other.#text && sameSource(this.source, other.source);
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

function sameSource(a: SecretSource | undefined, b: SecretSource | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.namespace === b.namespace && a.name === b.name && a.field === b.field && a.isTrimmed === b.isTrimmed
  );
}
