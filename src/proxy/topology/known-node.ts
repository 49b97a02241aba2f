/**
 * A node of a Redis Cluster, and the connection on which it is asked about itself.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { ANSWER_MS, Conversation, LOGIN_AGAIN_MS, refusalIn } from './conversation.ts';
import { Node, type NodeOwner } from './node.ts';
import type { NodeOptions } from './node-options.ts';

type Questions = Parameters<Conversation['askNamed']>[0];

export class KnownNode {
  readonly node: Node;
  conversation: Conversation;
  #isBeingAsked = false;
  #askedAt = -Infinity;
  #isClosed = false;

  constructor(options: NodeOptions, owner: NodeOwner) {
    this.node = new Node(options, owner);
    this.conversation = this.#talk();
  }

  /** `questions` has `ping`. Its answers; undefined: it is noted why it has none, or it is not its time. */
  async ask(questions: Questions): Promise<Readonly<Record<string, unknown>> | undefined> {
    const { node } = this;
    if (this.#isBeingAsked) return undefined;
    const refusalBefore = node.refusal;
    const now = performance.now();
    if (refusalBefore !== undefined) {
      if (now - this.#askedAt < LOGIN_AGAIN_MS) return undefined;
      // By a connection of its own: one that is there was let in before.
      this.conversation.close();
      this.conversation = this.#talk();
    }
    this.#isBeingAsked = true;
    this.#askedAt = now;
    const answer = await this.conversation.askNamed(questions);
    this.#isBeingAsked = false;
    if (this.#isClosed) return undefined;
    if ('failure' in answer && answer.failure !== 'refused') {
      if (answer.failure === 'silent') node.update({ isSilent: true });
      else node.notReached(answer.why);
      return undefined;
    }
    const refusal = refusalIn('said' in answer ? { values: [answer.said['ping']] } : answer);
    // A newer connection may have been refused meanwhile.
    if (refusal !== undefined || node.refusal === refusalBefore) node.refusal = refusal;
    if ('said' in answer) return answer.said;
    // It is there: to what only it carries out, as a primary, it gives its own answer.
    node.update({ isDead: false, isSilent: false, isProbed: false, unfit: undefined });
    return undefined;
  }

  close(problem: string): void {
    this.#isClosed = true;
    this.conversation.close();
    this.node.close(problem);
  }

  #talk(): Conversation {
    const { node } = this;
    // Not its end, as far as is known, where it was silent; but another one may be there by then.
    return new Conversation(node.options, (hasEnded) =>
      node.update({ ...(hasEnded ? { isDead: true } : {}), isProbed: false }),
    );
  }
}

/** Who is away is not waited for, nor for long who can't be connected to: what is known of others must not grow old meanwhile. */
export async function withEach(
  nodes: readonly KnownNode[],
  ask: (known: KnownNode) => Promise<void>,
): Promise<void> {
  const waitedFor = nodes.flatMap((known) => {
    const { isDead, isSilent } = known.node;
    const answer = ask(known);
    return isDead || isSilent ? [] : [answer];
  });
  await Promise.race([Promise.all(waitedFor), sleep(ANSWER_MS, undefined, { ref: false })]);
}
