/**
 * A task that is done again and again, one at a time: after as long as it says itself, or at once if somebody asks and it has
 * not just been done.
 */
export class PeriodicTask {
  readonly #task: () => Promise<number>;
  readonly #pauseMs: number;
  #timer: NodeJS.Timeout | undefined;
  #isUnderWay = false;
  #isClosed = false;
  #doneAt = -Infinity;
  /** While it was under way somebody asked for it: what it has found may be out of date. */
  isAskedAgain = false;

  /** `task`: done at first when asked for; returns after how many milliseconds again. `pauseMs`: at least so long between two. */
  constructor(task: () => Promise<number>, pauseMs: number) {
    this.#task = task;
    this.#pauseMs = pauseMs;
  }

  ask(): void {
    if (this.#isUnderWay) this.isAskedAgain = true;
    else this.#after(Math.max(0, this.#doneAt + this.#pauseMs - performance.now()));
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #after(ms: number): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#run(), ms);
  }

  async #run(): Promise<void> {
    this.#isUnderWay = true;
    this.isAskedAgain = false;
    const againMs = await this.#task();
    this.#isUnderWay = false;
    this.#doneAt = performance.now();
    this.#after(againMs);
  }
}
