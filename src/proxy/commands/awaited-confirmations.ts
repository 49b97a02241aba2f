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
  readonly #awaited: Awaited<Asked>[] = [];

  get isEmpty(): boolean {
    return this.#awaited.length === 0;
  }

  /** What the next reply is to. */
  get first(): Asked | undefined {
    return this.#awaited[0]?.asked;
  }

  /** `channels`: how many; of none Redis confirms that there is none. */
  add(asked: Asked, channels: number): void {
    this.#awaited.push({ asked, isBegun: false, missing: Math.max(1, channels) });
  }

  /** A reply to the first; after the last one the next is the first. */
  take(isError: boolean): Outcome {
    const [awaited] = this.#awaited;
    if (awaited === undefined) return { isFirst: false, isLast: false };
    const isFirst = !awaited.isBegun;
    awaited.isBegun = true;
    awaited.missing = isError ? 0 : awaited.missing - 1;
    const isLast = awaited.missing <= 0;
    if (isLast) this.#awaited.shift();
    return { isFirst, isLast };
  }

  some(matches: (asked: Asked) => boolean): boolean {
    return this.#awaited.some(({ asked }) => matches(asked));
  }

  /** Nobody confirms them any more. */
  clear(): readonly Asked[] {
    return this.#awaited.splice(0).map(({ asked }) => asked);
  }
}
