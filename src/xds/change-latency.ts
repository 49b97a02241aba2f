/**
 * How long a node takes from a change of what it is served to its acknowledgement, on one stream.
 *
 * A change is on its way until a response was sent for it; of several that one response carries, the first counts.
 */

/** A client that answers nothing must not cost more and more. */
const MOST_KEPT = 16;

export class ChangeLatency {
  #changedMs: number | undefined;
  readonly #sent = new Map<string, number>();

  changed(changedMs: number): void {
    this.#changedMs ??= changedMs;
  }

  sent(nonce: string): void {
    if (this.#changedMs === undefined) return;
    this.#sent.set(nonce, this.#changedMs);
    if (this.#sent.size <= MOST_KEPT) return;
    for (const oldest of this.#sent.keys()) {
      this.#sent.delete(oldest);
      break;
    }
  }

  /** Everything of the change has been sent. */
  settled(): void {
    this.#changedMs = undefined;
  }

  /** Milliseconds since the change; undefined where the response was for none. */
  acknowledged(nonce: string, nowMs: number): number | undefined {
    const changedMs = this.#sent.get(nonce);
    if (changedMs === undefined) return undefined;
    this.#sent.delete(nonce);
    return nowMs - changedMs;
  }
}
