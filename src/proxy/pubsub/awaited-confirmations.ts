/**
 * What was asked over one connection and is not confirmed yet. Redis answers in order, and confirms each channel by itself: one
 * command has many replies, or one error.
 */
interface Awaited<Asked> {
  readonly asked: Asked;
  isBegun: boolean;
  missing: number;
}

interface Outcome {
  /** The first reply to its command. */
  readonly isFirst: boolean;
  /** Nothing more is said about it. */
  readonly isLast: boolean;
}

export class AwaitedConfirmations<Asked> {
  #awaited: Awaited<Asked>[] = [];
  /** Those before it are confirmed: of 100,000 that are asked at once each shift would move all others. */
  #first = 0;

  get isEmpty(): boolean {
    return this.#first === this.#awaited.length;
  }

  /** What the next reply is to. */
  get first(): Asked | undefined {
    return this.#awaited[this.#first]?.asked;
  }

  /** `channels`: how many; of none Redis confirms that there is none. */
  add(asked: Asked, channels: number): void {
    this.#awaited.push({ asked, isBegun: false, missing: Math.max(1, channels) });
  }

  /** A reply to the first; after the last one the next is the first. */
  take(isError: boolean): Outcome {
    const awaited = this.#awaited[this.#first];
    if (awaited === undefined) return { isFirst: false, isLast: false };
    const isFirst = !awaited.isBegun;
    awaited.isBegun = true;
    awaited.missing = isError ? 0 : awaited.missing - 1;
    const isLast = awaited.missing <= 0;
    if (isLast) this.#first += 1;
    if (this.isEmpty) this.clear();
    return { isFirst, isLast };
  }

  some(matches: (asked: Asked) => boolean): boolean {
    for (let at = this.#first; at < this.#awaited.length; at++) {
      if (matches(this.#awaited[at]!.asked)) return true;
    }
    return false;
  }

  /** Nobody confirms them any more. */
  clear(): readonly Asked[] {
    const left = this.#awaited.slice(this.#first).map(({ asked }) => asked);
    this.#awaited = [];
    this.#first = 0;
    return left;
  }
}
