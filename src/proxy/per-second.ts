import { clock } from './turn.ts';

/** Allows so much in each second of the clock, and no more. */
export class PerSecond {
  readonly #most: number;
  #second = 0;
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** False: this second has had its share. */
  take(): boolean {
    const second = Math.floor(clock.now / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#taken = 0;
    }
    if (this.#taken >= this.#most) return false;
    this.#taken += 1;
    return true;
  }
}
