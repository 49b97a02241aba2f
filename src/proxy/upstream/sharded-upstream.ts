/**
 * Plain servers as an upstream: keys are spread over them by Maglev, as Envoy does it.
 */
import type { Logger } from 'pino';

import type { ProxyUpstream, Upstream as UpstreamPlan } from '../../plan/routing-plan.ts';
import { sameContent } from '../../plan/same-content.ts';
import { maglevHost, maglevTable } from '../../redis/maglev.ts';
import { isOfMessages } from '../../redis/command-table.ts';
import { argumentsThatAreKeys, commandForAny } from './argument-keys.ts';
import type { Conversation } from '../topology/conversation.ts';
import type { Node } from '../topology/node.ts';
import { nodeOptionsOf } from '../topology/node-options.ts';
import { NodeLog } from '../topology/node-log.ts';
import { refusalText } from './refusal.ts';
import type { Request } from '../wire/request.ts';
import { NO_PLACE } from './server-directory.ts';
import { ServerList } from './server-list.ts';
import type { UpstreamSettings } from './upstream-settings.ts';
import { Upstream } from './upstream.ts';

/** A place is a server's index, and above it which list it is an index of. */
const INDEX_BITS = 16;
const INDEX = 0xffff;
const EDITIONS = 0x7fff;

/** What a server says that is not the plain primary that it was taken for. */
const NO_PLAIN_PRIMARY = [
  {
    says: /^MOVED \d+ \S*:\d+$/,
    what:
      "is a node of a Redis Cluster and sends clients to others, which they can't follow; " +
      'give --mode cluster, or mode: CLUSTER in its RedisDestination',
  },
  {
    says: /^READONLY You can't write/,
    what:
      'is a replica, so writes wait until it is a primary, and fail where it becomes none; ' +
      'give its primary with --upstream (and replicas with --reads), or as route.host (and route.reads.host)',
  },
] as const;

export class ShardedUpstream extends Upstream {
  #plan: ProxyUpstream;
  readonly #list: ServerList;
  readonly #log: Logger;
  readonly #untold = new Set(NO_PLAIN_PRIMARY);
  #table = maglevTable([]);
  /** Of the list of servers. */
  #edition = 0;
  #places: readonly number[] = [];
  /** Which server has the messages: they know nothing of each other's. */
  #ofMessages = 0;

  constructor(plan: ProxyUpstream, settings: UpstreamSettings, log: Logger) {
    super(settings, plan.maxConnections);
    this.nodeLog = new NodeLog(plan.id, log);
    this.#plan = plan;
    this.#log = log;
    // Within the constructor there is no list yet: the first servers have their places behind it.
    let isMade = false;
    const changed = (gone: readonly Node[]): void => {
      if (isMade) this.#place(gone);
    };
    this.#list = new ServerList(plan.servers, nodeOptionsOf(plan, false), this, { changed, log });
    isMade = true;
    this.#place([]);
  }

  get isReady(): boolean {
    return this.#list.isReady;
  }

  override get problem(): string | undefined {
    return this.#list.problem;
  }

  override get refusal(): string | undefined {
    return this.#list.refusal;
  }

  /** What waits goes where its keys are by then, and the connections to servers that stay are kept. */
  override follow(plan: UpstreamPlan): boolean {
    const { servers: before } = this.#plan;
    if (plan.mode !== 'proxy' || !sameContent({ ...plan, servers: before }, this.#plan)) return false;
    if (plan.servers.kind !== 'endpoints' || before.kind !== 'endpoints') return false;
    this.#plan = plan;
    this.#list.use(plan.servers.endpoints);
    return true;
  }

  placeOf(bytes: Uint8Array, start: number, end: number, hashTags: boolean): number {
    if (this.#list.servers.length <= 1) return this.#placeAt(0);
    return this.#placeAt(maglevHost(this.#table, bytes.subarray(start, end), hashTags));
  }

  #placeAt(index: number): number {
    return (this.#edition << INDEX_BITS) | index;
  }

  anyPlace(forMessages = false): number {
    if (forMessages) return this.#placeAt(this.#ofMessages);
    const all = [...this.#list.servers.keys()];
    const usable = all.filter((index) => this.#list.servers[index]!.node.isUsable);
    const indexes = usable.length > 0 ? usable : all;
    return this.#placeAt(indexes[Math.floor(Math.random() * indexes.length)] ?? 0);
  }

  override holderOf(place: number): Node | undefined {
    return place >> INDEX_BITS === this.#edition ? this.#list.servers[place & INDEX]?.node : undefined;
  }

  override primaryPlaces(): readonly number[] {
    return this.#places;
  }

  nodeFor(request: Request): Node | null {
    this.place(request);
    return this.primaryFor(request.place);
  }

  /** Its bytes have waited while servers came or went. */
  protected override place(request: Request): boolean {
    const { block, start, end, terms } = request;
    if (block === null || request.place >> INDEX_BITS === this.#edition) return true;
    const forAny = commandForAny(block.bytes, start, end);
    if (forAny !== undefined) request.place = this.anyPlace(isOfMessages(forAny));
    const places = argumentsThatAreKeys(block.bytes, start, end)?.map((key) => {
      const bytes = Buffer.from(key, 'latin1');
      return this.placeOf(bytes, 0, bytes.length, terms.hashTags);
    });
    const place = places?.[0];
    if (place === undefined) return true;
    const isApart = places?.some((each) => each !== place) === true;
    request.place = isApart ? NO_PLACE : place;
    return !isApart;
  }

  protected *nodes(): Iterable<Node> {
    for (const { node } of this.#list.servers) yield node;
  }

  protected override get hasLeaving(): boolean {
    return this.#list.hasLeaving;
  }

  protected conversation(): Conversation | undefined {
    return this.#list.conversation();
  }

  redirected(): undefined {
    return undefined;
  }

  /** A redirection goes to the client as it is. */
  override refused(request: Request, node: Node, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#untold.size > 0) this.#tellWhatItIs(node, refusalText(bytes, start, end) ?? '');
    return super.refused(request, node, bytes, start, end);
  }

  /** Each once. */
  #tellWhatItIs({ address }: Node, refusal: string): void {
    for (const mistake of this.#untold) {
      if (!mistake.says.test(refusal)) continue;
      this.#untold.delete(mistake);
      this.#log.warn(`${this.#plan.id}: ${address} ${mistake.what}`);
    }
  }

  changed(node: Node): void {
    if (node.isUsable) this.retryHeld();
  }

  override close(): void {
    super.close();
    this.#list.close();
  }

  #place(gone: readonly Node[]): void {
    this.#edition = (this.#edition + 1) & EDITIONS;
    const addresses = this.#list.servers.map(({ node }, index) => [node.address, index] as const);
    // The same for every proxy, in whatever order they are told: who goes through all of them may go on at another one.
    const inOrder = addresses.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)));
    this.#places = inOrder.map(([, index]) => this.#placeAt(index));
    const texts = this.#list.servers.map(({ text }) => text);
    // So for messages.
    this.#ofMessages = Math.max(0, texts.indexOf(texts.toSorted()[0] ?? ''));
    this.#table = maglevTable(texts.map((text) => ({ text, weight: 1 })));
    this.placeAnew(gone);
    this.retryHeld();
    this.invalidations.lost();
  }
}
