/**
 * Whether reads went where the policy in force sends them, look by look.
 *
 * Pure: it is told what the nodes counted between two looks and which policy Envoy had at the second one. A look is
 * not judged while reads are moving (connections of before drain under the old policy), nor while a node is
 * missing (PREFER_ and ANY then rightly read elsewhere).
 */
import { misplacedReads, obeys, type Split } from './traffic.ts';

export interface Look {
  /** Milliseconds. */
  readonly at: number;
  /** As Envoy has it, asked after the nodes. */
  readonly policy: string;
  readonly split: Split;
  readonly everyNodeAnswers: boolean;
}

export type Happening =
  | { readonly kind: 'changed'; readonly from: string; readonly to: string }
  | { readonly kind: 'followed'; readonly policy: string };

export class Verdict {
  readonly #settleMs: number;
  #policy: string | undefined;
  #changes = 0;
  #unjudgedUntil = 0;
  #following: { readonly since: number } | undefined;
  /** Of the last look: forgiven if the next one shows that the policy was just changing. */
  #suspected = 0;
  #misplaced = 0;

  /** `settleMs`: how long connections of before may last after a change. */
  constructor(settleMs: number) {
    this.#settleMs = settleMs;
  }

  look({ at, policy, split, everyNodeAnswers }: Look): readonly Happening[] {
    const happenings: Happening[] = [];
    if (this.#policy === undefined) this.#policy = policy;
    if (policy !== this.#policy) {
      happenings.push({ kind: 'changed', from: this.#policy, to: policy });
      this.#policy = policy;
      this.#changes += 1;
      this.#suspected = 0;
      this.#following = { since: at };
      this.#unjudgedUntil = at + this.#settleMs;
    }
    if (!everyNodeAnswers) this.#unjudgedUntil = Math.max(this.#unjudgedUntil, at + this.#settleMs);
    if (this.#following !== undefined && obeys(policy, split) === true) {
      this.#following = undefined;
      happenings.push({ kind: 'followed', policy });
    }
    this.#misplaced += this.#suspected;
    this.#suspected = at < this.#unjudgedUntil ? 0 : misplacedReads(policy, split);
    return happenings;
  }

  /** Reads that went where the policy does not send them, up to a look at `at`. */
  conclude(at: number): {
    readonly misplaced: number;
    readonly changes: number;
    readonly neverFollowed: boolean;
  } {
    const neverFollowed = this.#following !== undefined && at - this.#following.since > this.#settleMs;
    return { misplaced: this.#misplaced + this.#suspected, changes: this.#changes, neverFollowed };
  }
}
