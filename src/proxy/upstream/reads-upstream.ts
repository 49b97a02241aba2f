/**
 * Servers that only reads go to: any of the first group that has one that can be asked.
 */
import type { Logger } from 'pino';

import type {
  ProxyServers,
  ReadsUpstream as ReadsPlan,
  Upstream as UpstreamPlan,
} from '../../plan/routing-plan.ts';
import { sameContent } from '../../plan/same-content.ts';
import type { Conversation } from '../topology/conversation.ts';
import type { Node } from '../topology/node.ts';
import { nodeOptionsOf } from '../topology/node-options.ts';
import { NodeLog } from '../topology/node-log.ts';
import { ServerList } from './server-list.ts';
import type { UpstreamSettings } from './upstream-settings.ts';
import { Upstream } from './upstream.ts';

export class ReadsUpstream extends Upstream {
  #plan: ReadsPlan;
  readonly #groups: readonly (readonly ServerList[])[];
  #readers: readonly Node[] = [];
  /** Whose turn it is. */
  #turn = 0;

  constructor(plan: ReadsPlan, settings: UpstreamSettings, log: Logger) {
    super(settings, plan.maxConnections);
    this.nodeLog = new NodeLog(plan.id, log);
    this.#plan = plan;
    const options = nodeOptionsOf(plan, false);
    const replicas = { maxLagMs: settings.maxLagMs, said: new Map() };
    // Within the constructor there are no groups yet.
    const changed = (): void => queueMicrotask(() => this.#refresh());
    this.#groups = plan.groups.map((group) =>
      group.map((servers) => new ServerList(servers, options, this, { changed, log, replicas })),
    );
  }

  get isReady(): boolean {
    return this.#groups.some((group) => group.some((list) => list.isReady));
  }

  override get problem(): string | undefined {
    const problems = this.#groups.flat().map((list) => list.problem);
    return problems.includes(undefined) ? undefined : problems.join('; ');
  }

  override get refusal(): string | undefined {
    const refusals = this.#groups.flat().map((list) => list.refusal);
    return refusals.includes(undefined) ? undefined : refusals[0];
  }

  /** Where some of its servers, listed one by one, are others. */
  override follow(plan: UpstreamPlan): boolean {
    const { groups: before } = this.#plan;
    if (plan.mode !== 'reads' || !sameContent({ ...plan, groups: before }, this.#plan)) return false;
    if (!sameContent(plan.groups.map(kindsOf), before.map(kindsOf))) return false;
    this.#plan = plan;
    for (const [at, group] of plan.groups.entries()) {
      for (const [index, servers] of group.entries())
        if (servers.kind === 'endpoints') this.#groups[at]![index]!.use(servers.endpoints);
    }
    return true;
  }

  placeOf(): number {
    return 0;
  }

  anyPlace(): number {
    return 0;
  }

  protected override refusing(): Buffer | undefined {
    return [...this.nodes()].find(({ refusing }) => refusing !== undefined)?.refusing;
  }

  override primaryFor(): Node | null {
    return this.nodeFor();
  }

  nodeFor(): Node | null {
    const readers = this.#readers;
    if (readers.length === 0) return null;
    this.#turn = this.#turn + 1 >= readers.length ? 0 : this.#turn + 1;
    return readers[this.#turn]!;
  }

  override usableReplicas(): readonly Node[] {
    return [...this.nodes()].filter(({ isUsable }) => isUsable);
  }

  /** The first group that has somebody who follows its primary well, else the first that has anybody. */
  #refresh(): void {
    // One that has not been asked may be empty or old: it answers all the same.
    const usable = this.#groups.map((group) =>
      group.flatMap(({ servers }) => servers.map(({ node }) => node)).filter((n) => n.isUsable && n.isProbed),
    );
    const good = usable.map((group) => group.filter(({ doubtful }) => doubtful === undefined));
    this.#readers = [...good, ...usable].find((group) => group.length > 0) ?? [];
    this.retryHeld();
  }

  protected *nodes(): Iterable<Node> {
    for (const list of this.#groups.flat()) for (const { node } of list.servers) yield node;
  }

  protected override get hasLeaving(): boolean {
    return this.#groups.flat().some((list) => list.hasLeaving);
  }

  protected conversation(): Conversation | undefined {
    for (const list of this.#groups.flat()) {
      const conversation = list.conversation();
      if (conversation !== undefined) return conversation;
    }
    return undefined;
  }

  redirected(): undefined {
    return undefined;
  }

  changed(): void {
    this.#refresh();
  }

  override close(): void {
    super.close();
    for (const list of this.#groups.flat()) list.close();
  }
}

/** Of those that are found by name: the name. */
function kindsOf(group: readonly ProxyServers[]): readonly unknown[] {
  return group.map((servers) => (servers.kind === 'dns' ? servers : servers.kind));
}
