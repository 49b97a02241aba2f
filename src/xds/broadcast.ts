/**
 * Pushes a change to all streams, many at a time: in between requests are read, connections taken and checks answered.
 *
 * What was written in a turn leaves at the next one's end, after the acknowledgements that have come by then are read: in
 * small portions the last streams would wait for the work that the first ones make. A thousand take some 30 ms.
 */
const AT_ONCE = 1_000;

interface Receiver {
  /** Sends what has changed at that time. */
  push(changedMs: number): void;
}

export class Broadcast {
  readonly #live: ReadonlySet<Receiver>;
  /** Not pushed yet; when the first change happened that each waits for. */
  readonly #waiting = new Map<Receiver, number>();
  /** When the first change happened that is not on its way yet. */
  #changedMs: number | undefined;
  #scheduled: NodeJS.Immediate | undefined;

  constructor(live: ReadonlySet<Receiver>) {
    this.#live = live;
  }

  /** In the next turn of the event loop; changes until then are one. */
  begin(changedMs: number): void {
    this.#changedMs ??= changedMs;
    this.#scheduled ??= setImmediate(() => this.#pushSome());
  }

  stop(): void {
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
  }

  #pushSome(): void {
    if (this.#changedMs !== undefined) {
      // Who waits since an earlier change comes first: changes without end hold up nobody for ever.
      for (const stream of this.#live)
        if (!this.#waiting.has(stream)) this.#waiting.set(stream, this.#changedMs);
      this.#changedMs = undefined;
    }
    let pushed = 0;
    for (const [stream, changedMs] of this.#waiting) {
      this.#waiting.delete(stream);
      if (this.#live.has(stream)) stream.push(changedMs);
      if (++pushed === AT_ONCE) break;
    }
    const isDone = this.#waiting.size === 0 && this.#changedMs === undefined;
    this.#scheduled = isDone ? undefined : setImmediate(() => this.#pushSome());
  }
}
