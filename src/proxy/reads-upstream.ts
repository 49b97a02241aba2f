/**
 * Servers that only reads go to: any of the first group that has one that can be asked.
 */
import type { ReadsUpstream as ReadsPlan } from '../plan/routing-plan.ts';
import type { Conversation } from './conversation.ts';
import { nodeOptionsOf, type Node } from './node.ts';
import { ServerList } from './server-list.ts';
import { Upstream, type UpstreamSettings } from './upstream.ts';

export class ReadsUpstream extends Upstream {
  readonly #groups: readonly (readonly ServerList[])[];
  /** Whose turn it is. */
  #turn = 0;

  constructor(plan: ReadsPlan, settings: UpstreamSettings) {
    super(settings, plan.maxConnections);
    const options = nodeOptionsOf(plan, false);
    this.#groups = plan.groups.map((group) =>
      group.map(
        (servers) => new ServerList(servers, options, this, () => this.retryHeld(), settings.maxLagMs),
      ),
    );
  }

  get isReady(): boolean {
    return this.#groups.some((group) => group.some(({ isResolved }) => isResolved));
  }

  placeOf(): number {
    return 0;
  }

  anyPlace(): number {
    return 0;
  }

  primaryFor(): Node | null {
    return this.choose();
  }

  protected choose(): Node | null {
    for (const group of this.#groups) {
      const usable = group.flatMap(({ servers }) => servers.filter(({ node }) => this.#mayBeRead(node)));
      if (usable.length === 0) continue;
      this.#turn = (this.#turn + 1) % usable.length;
      return usable[this.#turn]!.node;
    }
    return null;
  }

  #mayBeRead({ isUsable, isProbed }: Node): boolean {
    // Asked first, where it matters how far behind it is.
    return isUsable && (isProbed || this.settings.maxLagMs === undefined);
  }

  protected *nodes(): Iterable<Node> {
    for (const list of this.#groups.flat()) for (const { node } of list.servers) yield node;
  }

  protected conversation(): Conversation | undefined {
    for (const list of this.#groups.flat()) {
      const conversation = list.conversation();
      if (conversation !== undefined) return conversation;
    }
    return undefined;
  }

  protected redirected(): undefined {
    return undefined;
  }

  changed(node: Node): void {
    if (node.isUsable) this.retryHeld();
  }

  close(): void {
    for (const list of this.#groups.flat()) list.close();
  }
}
