/**
 * Whether a plain server lets us in: asked by a connection of its own, since one that is there was let in before.
 */
import { Conversation, LOGIN_AGAIN_MS, refusalIn, type Answer } from '../topology/conversation.ts';
import type { Node } from '../topology/node.ts';

/** While it has not said so. */
const ASK_AGAIN_MS = 500;
/** Then it may be stopped, or not reachable, which is no reason to wait for it. */
const WAITED_FOR_MS = 2_500;

export class ServerLogin {
  readonly #node: Node;
  /** When it was last asked; 0: not yet. */
  #askedAt = 0;
  #isBeingAsked = false;
  #hasSaid = false;

  constructor(node: Node) {
    this.#node = node;
  }

  /** It has said whether it does, here or to a client. */
  get isKnown(): boolean {
    return this.#hasSaid || this.#node.refusal !== undefined;
  }

  get isUnasked(): boolean {
    return this.#askedAt === 0;
  }

  /** To be asked again. */
  get isDue(): boolean {
    if (this.#isBeingAsked || (this.#hasSaid && this.#node.refusal === undefined)) return false;
    return performance.now() - this.#askedAt >= (this.#hasSaid ? LOGIN_AGAIN_MS : ASK_AGAIN_MS);
  }

  /** It has said why it does not, asked for something else. */
  refused(why: string): void {
    this.#hasSaid = true;
    this.#node.refusal = why;
  }

  async ask(): Promise<Answer> {
    const node = this.#node;
    const refusalBefore = node.refusal;
    this.#askedAt = performance.now();
    this.#isBeingAsked = true;
    const conversation = new Conversation(node.options);
    const answer = await conversation.ask([['PING']]);
    conversation.close();
    this.#isBeingAsked = false;
    const refusal = refusalIn(answer);
    // What else goes wrong says nothing of it.
    if (refusal === undefined && 'failure' in answer) return answer;
    this.#hasSaid = true;
    // A newer connection may have been refused meanwhile.
    if (refusal !== undefined || node.refusal === refusalBefore) node.refusal = refusal;
    return answer;
  }

  /** Resolves once it has said so, or will not soon. */
  async askFirst(): Promise<void> {
    const until = performance.now() + WAITED_FOR_MS;
    for (;;) {
      const answer = await this.ask();
      const isSilent = 'failure' in answer && answer.failure === 'silent';
      if (!isSilent || performance.now() > until) return;
    }
  }
}
