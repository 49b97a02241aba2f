/**
 * When what waits in a client's input came. What was sent together waits together: of many commands that nobody can carry out
 * not each waits anew once the one before it is refused.
 */

/** Not less apart; and of a client that sends little by little for long, the last of these has all the rest. */
const APART_MS = 50;
const MOST = 64;

interface Arrival {
  /** How many bytes waited then. */
  upTo: number;
  at: number;
}

/** Of clients that never had to wait. */
const NONE: Arrival[] = [];

export class Arrivals {
  #arrivals = NONE;

  /** `upTo`: so many bytes wait with what came now. */
  note(upTo: number, now: number): void {
    const last = this.#arrivals.at(-1);
    const isApart = last === undefined || now - last.at >= APART_MS;
    if (last === undefined) {
      this.#arrivals = [{ upTo, at: now }];
    } else if (isApart && this.#arrivals.length < MOST) {
      this.#arrivals.push({ upTo, at: now });
    } else {
      last.upTo = upTo;
      // Never longer ago than it was.
      if (isApart) last.at = now;
    }
  }

  /** Of the command that ends there, asked in their order; 0: it comes only now. */
  of(end: number): number {
    let first = this.#arrivals[0];
    while (first !== undefined && first.upTo < end) {
      this.#arrivals.shift();
      first = this.#arrivals[0];
    }
    return first?.at ?? 0;
  }

  /** So many bytes before them are gone. */
  move(by: number): void {
    for (const arrival of this.#arrivals) arrival.upTo -= by;
  }

  /** As if all came now. */
  countAnew(now: number): void {
    for (const arrival of this.#arrivals) arrival.at = now;
  }

  clear(): void {
    this.#arrivals = NONE;
  }
}
