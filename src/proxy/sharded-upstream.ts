/**
 * Plain servers as an upstream: keys are spread over them by Maglev, as Envoy does it.
 */
import type { Logger } from 'pino';

import type { ProxyUpstream } from '../plan/routing-plan.ts';
import { maglevHost, maglevTable } from '../redis/maglev.ts';
import type { Conversation } from './conversation.ts';
import { nodeOptionsOf, type Node } from './node.ts';
import type { Request } from './request.ts';
import { ServerList } from './server-list.ts';
import { Upstream, type UpstreamSettings } from './upstream.ts';

export class ShardedUpstream extends Upstream {
  readonly #list: ServerList;
  #table = maglevTable([]);

  constructor(plan: ProxyUpstream, settings: UpstreamSettings, log: Logger) {
    super(settings, plan.maxConnections);
    // Within the constructor there is no list yet.
    const changed = (): void => queueMicrotask(() => this.#place());
    this.#list = new ServerList(plan.servers, nodeOptionsOf(plan, false), this, { changed, log });
  }

  get isReady(): boolean {
    return this.#list.isReady;
  }

  override get refusal(): string | undefined {
    return this.#list.refusal;
  }

  placeOf(bytes: Uint8Array, start: number, end: number, hashTags: boolean): number {
    if (this.#list.servers.length <= 1) return 0;
    return maglevHost(this.#table, bytes.subarray(start, end), hashTags);
  }

  anyPlace(): number {
    return Math.floor(Math.random() * this.#list.servers.length);
  }

  primaryFor(place: number): Node | null {
    const node = this.#list.servers[place]?.node;
    return node?.isUsable === true ? node : null;
  }

  override primaryPlaces(): number[] {
    return this.#list.servers.map((_, index) => index);
  }

  protected choose(request: Request): Node | null {
    return this.primaryFor(request.place);
  }

  protected *nodes(): Iterable<Node> {
    for (const { node } of this.#list.servers) yield node;
  }

  protected conversation(): Conversation | undefined {
    return this.#list.conversation();
  }

  redirected(): undefined {
    return undefined;
  }

  changed(node: Node): void {
    if (node.isUsable) this.retryHeld();
  }

  close(): void {
    this.#list.close();
  }

  #place(): void {
    this.#table = maglevTable(this.#list.servers.map(({ text }) => ({ text, weight: 1 })));
    this.retryHeld();
  }
}
