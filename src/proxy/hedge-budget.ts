/**
 * How many reads may be hedged: a share of the last minute's, lest a slow moment doubles the load.
 */
/** At most this share of the last minute's reads is hedged. */
const HEDGED_SHARE = 0.1;
const HEDGES_AT_LEAST = 20;

export class HedgeBudget {
  /** Of this minute. */
  reads = 0;
  #hedges = 0;
  #readsBefore = 0;
  #hedgesBefore = 0;
  #minute = 0;

  get isSpent(): boolean {
    const allowed = HEDGES_AT_LEAST + HEDGED_SHARE * (this.reads + this.#readsBefore);
    return this.#hedges + this.#hedgesBefore >= allowed;
  }

  spend(): void {
    this.#hedges += 1;
  }

  tick(now: number): void {
    const minute = Math.floor(now / 60_000);
    if (minute === this.#minute) return;
    this.#minute = minute;
    this.#readsBefore = this.reads;
    this.#hedgesBefore = this.#hedges;
    this.reads = 0;
    this.#hedges = 0;
  }
}
