/**
 * How many reads may be hedged: a share of the last minute's, lest a slow moment doubles the load.
 */
/** At most this share of the last minute's reads is hedged; of few reads, as many as here. */
const HEDGED_SHARE = 0.1;
const HEDGES_AT_LEAST = 20;
const SECONDS = 60;

export class HedgeBudget {
  /** Of this second. */
  reads = 0;
  #hedges = 0;
  /** Of the seconds before it, each at its own modulo a minute; together they are those of the minute before. */
  readonly #before = { reads: new Float64Array(SECONDS), hedges: new Float64Array(SECONDS) };
  #second = 0;

  get isSpent(): boolean {
    const { reads, hedges } = this.#before;
    const allowed = Math.max(HEDGES_AT_LEAST, HEDGED_SHARE * (this.reads + sum(reads)));
    return this.#hedges + sum(hedges) >= allowed;
  }

  spend(): void {
    this.#hedges += 1;
  }

  /** `now` in milliseconds. */
  tick(now: number): void {
    const second = Math.floor(now / 1_000);
    if (second === this.#second) return;
    const { reads, hedges } = this.#before;
    reads[this.#second % SECONDS] = this.reads;
    hedges[this.#second % SECONDS] = this.#hedges;
    // Those of which nobody heard, and the one that begins and was a minute ago.
    for (let empty = Math.max(this.#second + 1, second - SECONDS + 1); empty <= second; empty++) {
      reads[empty % SECONDS] = 0;
      hedges[empty % SECONDS] = 0;
    }
    this.#second = second;
    this.reads = 0;
    this.#hedges = 0;
  }
}

function sum(counts: Float64Array): number {
  return counts.reduce((total, count) => total + count, 0);
}
