/**
 * Finds out that a worker's event loop stands still: its clients would wait for ever, and for all that anybody sees it lives.
 *
 * Counted in questions without an answer, not in time: where the machine slept, or the first process stood still too, no
 * worker is to blame.
 */
export interface Patience {
  readonly everyMs: number;
  readonly questions: number;
}

/** Half a minute: what a client asks for at once may take some seconds. */
export const PATIENCE: Patience = { everyMs: 2_000, questions: 15 };

export class WorkerWatch {
  readonly #timer: NodeJS.Timeout;
  /** None is counted before its first word: where many start on few cores that may take any time. */
  #unanswered = -Infinity;

  /** `ask`: whatever the worker says then counts as an answer; `hung`: told once. */
  constructor({ everyMs, questions }: Patience, ask: () => void, hung: () => void) {
    this.#timer = setInterval(() => {
      if (this.#unanswered === questions) {
        this.end();
        hung();
      } else {
        this.#unanswered += 1;
        ask();
      }
    }, everyMs);
  }

  answered(): void {
    this.#unanswered = 0;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
