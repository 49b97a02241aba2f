/**
 * How many reads may be asked a second time: a share of the last minute's, lest a slow moment doubles the load.
 */
/** At most this share of the last minute's reads; of few reads, as many as here. */
const SHARE = 0.1;
const AT_LEAST = 20;
const SECONDS = 60;

export class ReadBudget {
  /** Of this second. */
  reads = 0;
  #spent = 0;
  /** Of the seconds before it, each at its own modulo a minute; together they are those of the minute before. */
  readonly #before = { reads: new Float64Array(SECONDS), spent: new Float64Array(SECONDS) };
  readonly #sums = { reads: 0, spent: 0 };
  #second = 0;

  get isSpent(): boolean {
    const { reads, spent } = this.#sums;
    return this.#spent + spent >= Math.max(AT_LEAST, SHARE * (this.reads + reads));
  }

  spend(): void {
    this.#spent += 1;
  }

  /** `now` in milliseconds. */
  tick(now: number): void {
    const second = Math.floor(now / 1_000);
    if (second === this.#second) return;
    const { reads, spent } = this.#before;
    reads[this.#second % SECONDS] = this.reads;
    spent[this.#second % SECONDS] = this.#spent;
    // Those of which nobody heard, and the one that begins and was a minute ago.
    for (let empty = Math.max(this.#second + 1, second - SECONDS + 1); empty <= second; empty++) {
      reads[empty % SECONDS] = 0;
      spent[empty % SECONDS] = 0;
    }
    this.#second = second;
    this.reads = 0;
    this.#spent = 0;
    Object.assign(this.#sums, { reads: sum(reads), spent: sum(spent) });
  }
}

function sum(counts: Float64Array): number {
  return counts.reduce((total, count) => total + count, 0);
}
