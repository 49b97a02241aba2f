/**
 * Shard channels of one client: a connection to each node that has some, and which of them has which. Where a slot has moved
 * its channels are asked for again at its new node; where the plan has another upstream, there.
 */
import { commandByName, type Command } from '../../redis/command-table.ts';
import type { Session } from '../client/session.ts';
import { MAX_HOPS } from '../upstream/refusal.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Connection } from '../wire/connection.ts';
import { REPLIES } from '../wire/encode.ts';
import { handOn } from '../wire/reply-sink.ts';
import type { Request } from '../wire/request.ts';
import { ChannelsApart } from './channels-apart.ts';
import { ChannelHomes } from './channel-homes.ts';
import type { HeldClient } from './held-client.ts';
import type { Moved } from './moved-channels.ts';
import { Subscriber } from './subscriber.ts';
import { messageConnection } from './message-connection.ts';

/** Until the new node of a slot is looked for again. */
const AGAIN_MS = 50;
/** A server that takes longer to answer is silent. */
const ANSWERED_MS = 250;

export interface ShardChannelsPlace {
  /** As the plan has it now. */
  upstream(): Upstream | undefined;
  /** Connections may have nothing to do any more. */
  settled(): void;
}

export class ShardChannels {
  readonly #session: Session;
  readonly #client: HeldClient;
  readonly #place: ShardChannelsPlace;
  readonly #homes: ChannelHomes;
  /** Which slot each was made for. */
  readonly #subscribers = new Map<Subscriber, number>();
  /** On their way from one node to another, none of which has them, and what has set them out last. */
  readonly #moving = new Map<string, Moved>();
  /** What the client waits for, if several nodes are asked. */
  #apart: ChannelsApart | undefined;
  #isClosed = false;

  constructor(session: Session, client: HeldClient, place: ShardChannelsPlace) {
    this.#session = session;
    this.#client = client;
    this.#place = place;
    this.#homes = new ChannelHomes(session);
  }

  get isSubscribed(): boolean {
    return this.#moving.size > 0 || [...this.#subscribers.keys()].some(({ size }) => size > 0);
  }

  /** What they take, about; those on their way are few. */
  get bytes(): number {
    return [...this.#subscribers.keys()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Of all nodes. `free`: what ends its client's being held. */
  ask(
    upstream: Upstream,
    command: Command,
    channels: readonly string[],
    free: (isRefused: boolean) => void = this.#session.hold(),
    isCounted = true,
  ): void {
    const groups = this.#grouped(upstream, channels);
    const named = channels.length > 0 ? channels : groups.flat();
    const had = this.#heldOf(named);
    if (groups.length > 1) this.#apart = this.#askedApart(upstream, command, groups, had);
    const asked = this.#apart ?? this.#subscriberFor(upstream, named[0] ?? '');
    const answered = (isRefused: boolean): void => {
      if (isRefused && this.#apart === undefined) this.#keep(had);
      this.#apart = undefined;
      free(isRefused);
    };
    this.#client.ask(asked, command, named, answered, isCounted);
  }

  #askedApart(
    upstream: Upstream,
    command: Command,
    groups: readonly (readonly string[])[],
    had: readonly string[],
  ): ChannelsApart {
    const parts = groups.map((group) => {
      const hadOfGroup = this.#heldOf(group);
      return {
        channels: group,
        ask: (request: Request) =>
          this.#subscriberFor(upstream, group[0] ?? '').send(command, group, request),
        refused: () => this.#keep(hadOfGroup),
      };
    });
    return new ChannelsApart(this.#session, parts, new Set(had), this.#count());
  }

  /** Goes where the plan has them now. */
  follow(upstream: Upstream): void {
    for (const subscriber of this.#subscribers.keys()) {
      // There its channels may be of several nodes.
      if (subscriber.isElsewhere(upstream)) this.#replace(subscriber, upstream);
    }
  }

  /** Whoever is at their nodes has its channels from now on. */
  #replace(subscriber: Subscriber, upstream: Upstream): void {
    this.#subscribers.delete(subscriber);
    const asked = subscriber.leave();
    for (const { name, channels, request, counts } of asked) {
      this.#subscriberFor(upstream, channels[0] ?? '').send(commandByName(name)!, channels, request, counts);
    }
    // Those that its client asks for anew have somebody by then, all of one command the same.
    for (const channel of subscriber.shardChannels) {
      if (this.#holderOf(channel) === undefined) this.#subscriberFor(upstream, channel).restore(channel);
    }
  }

  /** A connection on which nothing is subscribed to any more. */
  leaveUnused(): void {
    for (const subscriber of this.#subscribers.keys()) {
      if (!subscriber.isUnused) continue;
      this.#subscribers.delete(subscriber);
      subscriber.close();
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const subscriber of this.#subscribers.keys()) subscriber.close();
    this.#subscribers.clear();
    this.#moving.clear();
  }

  /** To how many its client is subscribed. */
  #count(): number {
    return [...this.#subscribers.keys()].reduce((sum, { size }) => sum + size, this.#moving.size);
  }

  /** Those to which it is. */
  #heldOf(channels: readonly string[]): readonly string[] {
    return channels.filter((channel) => this.#moving.has(channel) || this.#holderOf(channel) !== undefined);
  }

  #holderOf(channel: string): Subscriber | undefined {
    return [...this.#subscribers.keys()].find((subscriber) => subscriber.hasShardChannel(channel));
  }

  /** Of the node that has the place now, or will be the first to. */
  #subscriberAt(upstream: Upstream, place: number): Subscriber | undefined {
    const node = upstream.primaryFor(place);
    for (const [subscriber, slot] of this.#subscribers) {
      if (node === null ? slot === place && subscriber.node === undefined : subscriber.node === node) {
        return subscriber;
      }
    }
    return undefined;
  }

  /** Whoever has the shard channel keeps it: subscribed to at two nodes, its messages would come twice. */
  #subscriberFor(upstream: Upstream, channel: string): Subscriber {
    const place = this.#homes.placeOf(upstream, channel);
    const known = this.#holderOf(channel) ?? this.#subscriberAt(upstream, place);
    if (known !== undefined) return known;
    const subscriber = this.#makeSubscriber(upstream, channel);
    this.#subscribers.set(subscriber, place);
    return subscriber;
  }

  /** `first`: the channel that it is made for. */
  #makeSubscriber(upstream: Upstream, first: string): Subscriber {
    const session = this.#session;
    const made: Subscriber = new Subscriber(session, upstream.settings.failoverWaitMs, {
      upstream: () => this.#place.upstream(),
      open: (channel = first) => {
        const now = this.#place.upstream();
        const own = now && messageConnection(now, this.#homes.nodeOf(now, channel), session);
        if (own !== undefined && !own.upstream.checksSlots) {
          const hasOthers = this.#homes.hasOthers(own.upstream, own.node, () => made.shardChannels);
          own.isMisplaced = () => isAtLeisure(own.connection) && hasOthers();
        }
        return own;
      },
      isElsewhere: (channel, node) => {
        const now = this.#place.upstream();
        return now !== undefined && this.#homes.isElsewhere(now, channel, node);
      },
      stuck: (channel = first) => {
        const now = this.#place.upstream();
        const other = now && this.#subscriberAt(now, this.#homes.placeOf(now, channel));
        if (now !== undefined && other?.node !== undefined) this.#replace(made, now);
      },
      moved: (moved) => this.#moved(moved),
      count: () => this.#count(),
      takes: (channel) => this.#moving.delete(channel),
      unconfirmed: () => this.#apart?.unconfirmed,
    });
    return made;
  }

  /** Asks for them where they are by then; a client that waits for them is told, after a while, what Redis said last. */
  #moved(moved: Moved): void {
    const { name, channels, request, reply } = moved;
    if (this.#isClosed) return answer(request, reply);
    if (name === 'ssubscribe') for (const channel of channels) this.#moving.set(channel, moved);
    this.#place.upstream()?.noteDoubt();
    setTimeout(() => this.#settle(moved), AGAIN_MS);
  }

  #settle(moved: Moved): void {
    const { name, channels, request, reply, counts } = moved;
    const upstream = this.#place.upstream();
    // Not what the client has left meanwhile, or asked for anew.
    const still = channels.filter(
      (channel) => this.#moving.get(channel) === moved && this.#moving.delete(channel),
    );
    if (request === null) {
      if (upstream === undefined) return this.#moved({ name, channels: still, request, reply });
      for (const channel of still) this.#subscriberFor(upstream, channel).restore(channel);
      return this.#place.settled();
    }
    const [first] = channels;
    request.hops += 1;
    const isLate = performance.now() > request.startedAt + (upstream?.settings.failoverWaitMs ?? 0);
    // What begins late is followed, too, but not without end.
    const isOver = isLate && request.hops > MAX_HOPS;
    if (this.#isClosed || upstream === undefined || first === undefined || isOver) {
      return answer(request, reply);
    }
    this.#subscriberFor(upstream, first).send(commandByName(name)!, channels, request, counts);
  }

  /** What one node is asked at once. */
  #grouped(upstream: Upstream, channels: readonly string[]): readonly (readonly string[])[] {
    if (channels.length === 0) {
      // From all, whichever nodes have them.
      const held = [...this.#subscribers.keys()].flatMap((each) =>
        this.#byPlace(upstream, each.shardChannels),
      );
      return [...held, ...[...this.#moving.keys()].map((channel) => [channel])];
    }
    const groups = this.#byPlace(upstream, channels);
    // Of several slots a Redis Cluster has its own say.
    if (upstream.checksSlots && groups.length > 1) return [channels];
    // While a slot moves, the channels of one may be at two nodes.
    return groups.flatMap((group) =>
      grouped(
        group,
        (channel) =>
          this.#holderOf(channel) ?? this.#subscriberAt(upstream, this.#homes.placeOf(upstream, channel)),
      ),
    );
  }

  #byPlace(upstream: Upstream, channels: readonly string[]): readonly (readonly string[])[] {
    return grouped(channels, (channel) => this.#homes.placeOf(upstream, channel));
  }

  /** Whose client was refused has the subscriptions that it had, also where their node had let them go by then. */
  #keep(channels: readonly string[]): void {
    const upstream = this.#place.upstream();
    if (this.#isClosed || upstream === undefined) return;
    for (const channel of channels) {
      if (this.#moving.has(channel) || this.#holderOf(channel) !== undefined) continue;
      this.#subscriberFor(upstream, channel).restore(channel);
    }
  }
}

/** What has just been asked over it is answered first: asked of the next connection, it would have to go again, without end. */
function isAtLeisure(connection: Connection): boolean {
  return connection.pending === 0 || connection.waitingMs(performance.now()) > ANSWERED_MS;
}

function grouped(channels: readonly string[], keyOf: (channel: string) => unknown): readonly string[][] {
  const groups = new Map<unknown, string[]>();
  for (const channel of channels) {
    const key = keyOf(channel);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [channel]);
    else group.push(channel);
  }
  return [...groups.values()];
}

function answer(request: Request | null, reply: Buffer = REPLIES.upstreamFailure): void {
  if (request !== null) handOn(request.sink!, request, reply);
}
