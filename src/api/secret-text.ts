/**
 * A text that must not be shown: a password or key.
 *
 * Every way of printing it (template, JSON, util.inspect, pino) gives `[redacted]`; `reveal` is called only where
 * bytes are written to Envoy or Redis, or where the user asked for `--show-secrets`.
 */
const REDACTED = '[redacted]';

export class SecretText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  equals(other: SecretText): boolean {
    return this.#text === other.#text;
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
