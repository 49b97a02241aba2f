/**
 * How long a node takes from a change of what it is served to its acknowledgement, on one stream.
 *
 * A change is on its way until a response was sent for it; of several that one response carries, the first counts.
 */

interface Sent {
  readonly nonce: string;
  readonly changedMs: number;
}

/** A client that answers nothing must not cost more and more. */
const MOST_KEPT = 16;

export class ChangeLatency {
  #changedMs: number | undefined;
  /** Nearly always one or none: less than an empty map. */
  readonly #sent: Sent[] = [];

  changed(changedMs: number): void {
    this.#changedMs ??= changedMs;
  }

  sent(nonce: string): void {
    if (this.#changedMs === undefined) return;
    this.#sent.push({ nonce, changedMs: this.#changedMs });
    if (this.#sent.length > MOST_KEPT) this.#sent.shift();
  }

  /** Everything of the change has been sent. */
  settled(): void {
    this.#changedMs = undefined;
  }

  /** Milliseconds since the change; undefined where the response was for none. */
  acknowledged(nonce: string, nowMs: number): number | undefined {
    const at = this.#sent.findIndex((sent) => sent.nonce === nonce);
    const [sent] = at === -1 ? [] : this.#sent.splice(at, 1);
    return sent && nowMs - sent.changedMs;
  }
}
