/**
 * What a client that keeps what it reads is told twice: that everything may have changed, and which keys have soon after that.
 *
 * Hearing of everything, node-redis 6 forgets which replies it awaits, or has just read, for which key: it keeps their values, also
 * where it reads in the same piece that the key has changed, of which nobody would tell it any more.
 */
const ROUND_MS = 200;
/** So long after everything was told. */
const ROUNDS = 5;
/** More is told again as everything. */
const MOST_BYTES = 131_072;

interface Listener {
  readonly replies: { readonly messageBytes: number };
  pushBehind(message: Uint8Array): boolean;
}

export class ToldAgain {
  readonly #client: Listener;
  readonly #everything: Buffer;
  /** At the end of this round, and of the next one. */
  #soon: Buffer[] = [];
  #later: Buffer[] = [];
  #laterBytes = 0;
  #rounds = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(client: Listener, everything: Buffer) {
    this.#client = client;
    this.#everything = everything;
  }

  /** That it was told. */
  everything(): void {
    this.#soon = [];
    this.#later = [this.#everything];
    this.#laterBytes = 0;
    this.#rounds = ROUNDS;
    this.#timer ??= setInterval(() => this.#endRound(), ROUND_MS).unref();
  }

  /** The same, of some keys. */
  keys(message: Buffer): void {
    if (this.#rounds === 0) return;
    this.#later.push(message);
    this.#laterBytes += message.length;
    if (this.#laterBytes > MOST_BYTES) this.everything();
  }

  #endRound(): void {
    // Once it has read that for the first time, as far as is known.
    if (this.#client.replies.messageBytes > 0) return;
    const messages = this.#soon;
    this.#soon = this.#later;
    this.#later = [];
    this.#laterBytes = 0;
    this.#rounds = messages.includes(this.#everything) ? ROUNDS : Math.max(0, this.#rounds - 1);
    for (const message of messages) this.#client.pushBehind(message);
    if (this.#rounds === 0 && this.#soon.length === 0) this.close();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#rounds = 0;
  }
}
