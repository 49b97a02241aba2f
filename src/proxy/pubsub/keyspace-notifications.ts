/**
 * Keyspace notifications of one client. A node tells those of its keys to its own subscribers alone, so every primary is asked
 * for them, over a connection of its own; the client hears of all as from one. Replicas are not: they tell of what their
 * primary sends them once more, and there a key that expires is one that was deleted.
 *
 * Who is primary no longer is left before its successor is asked: what both tell would come twice.
 */
import type { Command } from '../../redis/command-table.ts';
import type { Session } from '../client/session.ts';
import type { Node } from '../topology/node.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { REPLIES } from '../wire/encode.ts';
import { handOn } from '../wire/reply-sink.ts';
import type { Request } from '../wire/request.ts';
import { HeldChannels } from './held-channels.ts';
import { NotificationSource, type Subscribing } from './notification-source.ts';
import { messageConnection } from './message-connection.ts';
import { confirm, inProtocol } from './subscription-messages.ts';

/** Until it is looked again who is primary. */
const LOOK_MS = 50;
/** Of all clients; those of one timer each would wake the process as often as there are clients. */
const all = new Set<KeyspaceNotifications>();
let looking: NodeJS.Timeout | undefined;

/** What a client waits for; one command at a time, since it is held until then. */
interface Asked {
  readonly kind: Subscribing;
  readonly names: readonly string[];
  /** Those that it was not subscribed to before. */
  readonly fresh: ReadonlySet<string>;
  readonly counts: readonly number[];
  readonly request: Request;
  readonly askedAt: number;
}

export interface NotificationsPlace {
  /** As the plan has it now. */
  upstream(): Upstream | undefined;
  /** To how many channels and patterns the client is subscribed in all. */
  count(): number;
}

export class KeyspaceNotifications {
  readonly #session: Session;
  readonly #place: NotificationsPlace;
  readonly #names = new HeldChannels();
  readonly #sources = new Map<Node, NotificationSource<Asked>>();
  /** As they were last looked at. */
  #places: readonly number[] = [];
  #primaries: ReadonlySet<Node> = new Set();
  #asked: Asked | undefined;

  constructor(session: Session, place: NotificationsPlace) {
    this.#session = session;
    this.#place = place;
    all.add(this);
    looking ??= setInterval(() => {
      for (const each of all) each.look();
    }, LOOK_MS);
  }

  /** How many channels and patterns. */
  get size(): number {
    return this.#names.size;
  }

  /** What they take, about. */
  get bytes(): number {
    return this.#names.bytes;
  }

  get isUnused(): boolean {
    return this.size === 0 && this.#asked === undefined;
  }

  names(kind: Subscribing): readonly string[] {
    return [...this.#names.of(kind)];
  }

  send({ name }: Command, names: readonly string[], request: Request): void {
    const isLeaving = name.includes('un');
    const kind: Subscribing = name.startsWith('p') ? 'psubscribe' : 'subscribe';
    const { fresh, left, counts } = this.#names.change(name, names, this.#place.count());
    const changed = new Set([...fresh, ...left]);
    const asked = { kind, names, fresh: changed, counts, request, askedAt: performance.now() };
    for (const source of this.#sources.values()) {
      source.ask(name, [...changed], isLeaving ? undefined : asked);
    }
    // What is left is heard no more from here on, whatever the servers have sent by then.
    if (isLeaving) return this.#confirm(name, asked);
    this.#asked = asked;
    this.look();
  }

  /** At who is primary now, and whether all have confirmed what the client waits for. */
  look(): void {
    if (this.isUnused) return;
    this.#follow();
    this.#settle();
  }

  close(): void {
    all.delete(this);
    if (all.size === 0) {
      clearInterval(looking);
      looking = undefined;
    }
    for (const source of this.#sources.values()) source.close();
    this.#sources.clear();
    this.#refuse(REPLIES.upstreamFailure);
  }

  #primariesOf(upstream: Upstream | undefined): ReadonlySet<Node> {
    const places = upstream?.primaryPlaces() ?? [];
    // Nearly always: the list is another one where anybody else is primary.
    if (places === this.#places) return this.#primaries;
    this.#places = places;
    const nodes = places.map((place) => upstream?.holderOf(place));
    this.#primaries = new Set(nodes.filter((node) => node !== undefined));
    return this.#primaries;
  }

  #follow(): void {
    const upstream = this.#place.upstream();
    const primaries = this.#primariesOf(upstream);
    // While nobody knows who they are, those that were go on telling.
    if (upstream === undefined || primaries.size === 0) return;
    for (const [node, source] of this.#sources) {
      if (primaries.has(node)) continue;
      this.#sources.delete(node);
      source.close();
    }
    for (const node of primaries) {
      if (node.isUsable && !this.#sources.has(node)) this.#open(upstream, node);
    }
  }

  #open(upstream: Upstream, node: Node): void {
    const own = messageConnection(upstream, node, this.#session);
    if (own === undefined) return;
    const source = new NotificationSource<Asked>(own, {
      heard: (kind, name, bytes, start, end) => this.#hear(kind, name, bytes, start, end),
      answered: () => this.#settle(),
      refused: (cause, reply) => this.#isRefused(cause, reply),
      lost: () => this.#sources.delete(node),
    });
    this.#sources.set(node, source);
    const asked = this.#asked;
    for (const kind of ['subscribe', 'psubscribe'] as const) {
      // Apart from those that the client waits for: refused together, all would be.
      const isAwaited = (name: string): boolean => asked?.kind === kind && asked.fresh.has(name);
      source.ask(
        kind,
        this.names(kind).filter((name) => !isAwaited(name)),
      );
    }
    if (asked !== undefined) source.ask(asked.kind, [...asked.fresh], asked);
  }

  #hear(kind: Subscribing, name: string, bytes: Uint8Array, start: number, end: number): void {
    if (!this.#names.of(kind).has(name)) return;
    // Until all primaries have confirmed it its client is not subscribed, and may never be.
    if (this.#asked?.kind === kind && this.#asked.fresh.has(name)) return;
    this.#session.push(inProtocol(this.#session.local.protocol, bytes, start, end), true);
  }

  /** Who can't be asked now is not waited for: nothing happens there, and it is asked as soon as it can be. */
  #settle(): void {
    const asked = this.#asked;
    if (asked === undefined) return;
    const upstream = this.#place.upstream();
    const primaries = [...this.#primariesOf(upstream)];
    const awaited = primaries.filter(({ isUsable }) => isUsable);
    if (awaited.length > 0 && awaited.every((node) => this.#sources.get(node)?.isAnswered === true)) {
      this.#asked = undefined;
      return this.#confirm(asked.kind, asked);
    }
    const isUnderWay = awaited.length > 0 && awaited.every((node) => this.#sources.has(node));
    // What begins late has the time of any other to be answered.
    const { opTimeoutMs } = this.#session.home.routing.terms;
    const until = asked.request.startedAt + (upstream?.settings.failoverWaitMs ?? 0);
    const now = performance.now();
    if (now <= until || (isUnderWay && now <= asked.askedAt + opTimeoutMs)) return;
    const own = upstream?.isFull === true ? REPLIES.tooManyConnections : REPLIES.upstreamFailure;
    this.#refuse(primaries.find(({ refusing }) => refusing !== undefined)?.refusing ?? own);
  }

  #confirm(name: string, { names, counts, request }: Asked): void {
    const reply = confirm({ name, channels: names, counts }, this.#session.local.protocol);
    handOn(request.sink!, request, reply);
  }

  /** False: the others have confirmed it while this one was passed by. */
  #isRefused(cause: Asked, reply: Buffer): boolean {
    if (cause === this.#asked) this.#refuse(reply);
    const names = this.#names.of(cause.kind);
    return ![...cause.fresh].some((name) => names.has(name));
  }

  /** As if it had not been asked. */
  #refuse(reply: Buffer): void {
    const asked = this.#asked;
    if (asked === undefined) return;
    this.#asked = undefined;
    this.#names.forget(asked.kind, asked.fresh);
    const leaving = asked.kind.replace('sub', 'unsub');
    for (const source of this.#sources.values()) source.ask(leaving, [...asked.fresh]);
    handOn(asked.request.sink!, asked.request, reply);
  }
}
