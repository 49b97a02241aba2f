/**
 * Subscriptions of one client, on connections of its own: one to any node for channels and patterns, one for each node
 * that has shard channels of it, one to each primary for keyspace notifications. A connection that is lost is made again,
 * with all that was subscribed on it; where the plan has another upstream, there; where a slot has moved, at its new node.
 */
import { KIND, commandByName, type Command } from '../../redis/command-table.ts';
import { type RequestFrame, wordAt } from '../../redis/request-frame.ts';
import { REPLIES, encodeBulk, encodeError } from '../wire/encode.ts';
import type { Mode } from '../client/mode.ts';
import type { Moved } from './moved-channels.ts';
import { RESP3, type Node } from '../topology/node.ts';
import { KeyspaceNotifications } from './keyspace-notifications.ts';
import { inRuns, type Run } from './notification-names.ts';
import { OwnConnection } from '../upstream/own-connection.ts';
import { UNCOUNTED } from '../wire/outcomes.ts';
import { handOn, inFrontOf } from '../wire/reply-sink.ts';
import type { Request } from '../wire/request.ts';
import type { Session } from '../client/session.ts';
import { Subscriber } from './subscriber.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** It is kept as strings, and put together again. */
const MAX_COMMAND_BYTES = 16_777_216;

/** Until the new node of a slot is looked for again. */
const AGAIN_MS = 50;

const MINUS = 0x2d;

const ALLOWED = new Set(['ping', 'quit', 'reset']);

export class Subscriptions implements Mode {
  readonly #session: Session;
  /** For channels and patterns. */
  #classic: Subscriber | undefined;
  #notifications: KeyspaceNotifications | undefined;
  /** For shard channels, and which slot each was made for. */
  readonly #sharded = new Map<Subscriber, number>();
  /** Shard channels that are on their way from one node to another, and what has set them out last. */
  readonly #moving = new Map<string, Moved>();
  #isClosed = false;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Whoever subscribes is held until Redis has confirmed it. */
  changesWay(): boolean {
    return false;
  }

  take(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
    if (command.kind !== KIND.pubsub) return false;
    this.#subscribe(bytes, frame, command);
    return true;
  }

  /** True: it is answered here, since in RESP2 a subscriber may ask little. */
  restricts(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
    if (this.#session.local.protocol === 3 || command.kind === KIND.pubsub || !this.isSubscribed)
      return false;
    if (command.name === 'ping' && frame.count <= 2) {
      const message = frame.count > 1 ? wordAt(bytes, frame)(1) : '';
      const pong = Buffer.concat([Buffer.from('*2\r\n$4\r\npong\r\n'), encodeBulk(message)]);
      this.#session.answer(command, pong);
      return true;
    }
    if (ALLOWED.has(command.name)) return false;
    this.#session.answer(
      command,
      encodeError(
        `ERR Can't execute '${command.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
      ),
    );
    return true;
  }

  refused(): void {}

  close(): void {
    this.#isClosed = true;
    this.#classic?.close();
    this.#notifications?.close();
    for (const subscriber of this.#sharded.keys()) subscriber.close();
    this.#sharded.clear();
    this.#moving.clear();
  }

  /** The plan may have another upstream. */
  rerouted(): void {
    const upstream = this.#upstream();
    if (upstream === undefined) {
      // It would wait for messages that nobody sends.
      if (this.isSubscribed) this.#session.end();
      return;
    }
    this.#classic?.follow();
    this.#notifications?.look();
    for (const subscriber of this.#sharded.keys()) {
      if (!subscriber.isElsewhere(upstream)) continue;
      // There its channels may be of several nodes.
      this.#sharded.delete(subscriber);
      const asked = subscriber.leave();
      for (const channel of subscriber.shardChannels) this.#subscriberFor(upstream, channel).restore(channel);
      for (const { name, ...what } of asked) this.#settle({ ...what, name: name as Moved['name'] });
    }
  }

  #upstream(): Upstream | undefined {
    return this.#session.home.routing.catchAll?.upstream;
  }

  #holderOf(channel: string): Subscriber | undefined {
    return [...this.#sharded.keys()].find((subscriber) => subscriber.hasShardChannel(channel));
  }

  /** Its client may have asked for one of those that move anew. */
  #onTheirWay(): readonly string[] {
    return [...this.#moving.keys()].filter((channel) => this.#holderOf(channel) === undefined);
  }

  /** As SPUBLISH finds it. */
  #placeOf(upstream: Upstream, channel: string): number {
    const bytes = Buffer.from(channel, 'latin1');
    return upstream.placeOf(bytes, 0, bytes.length, this.#session.home.routing.terms.hashTags);
  }

  /** Of the node that has the place now, or will be the first to. */
  #subscriberAt(upstream: Upstream, place: number): Subscriber | undefined {
    const node = upstream.primaryFor(place);
    for (const [subscriber, slot] of this.#sharded) {
      if (node === null ? slot === place && subscriber.node === undefined : subscriber.node === node) {
        return subscriber;
      }
    }
    return undefined;
  }

  /** Whoever has the shard channel keeps it: subscribed to at two nodes, its messages would come twice. */
  #subscriberFor(upstream: Upstream, channel: string): Subscriber {
    const place = this.#placeOf(upstream, channel);
    const known = this.#holderOf(channel) ?? this.#subscriberAt(upstream, place);
    if (known !== undefined) return known;
    const subscriber = this.#makeSubscriber(upstream, channel);
    this.#sharded.set(subscriber, place);
    return subscriber;
  }

  /** `first`: the shard channel that it is made for; undefined: it is for others. */
  #makeSubscriber(upstream: Upstream, first: string | undefined): Subscriber {
    const session = this.#session;
    // Without READONLY, which no subscription needs: one that is busy refuses it, and is connected to anew for that.
    const kind = session.connectionKind() & RESP3;
    const made: Subscriber = new Subscriber(session, upstream.settings.failoverWaitMs, {
      upstream: () => this.#upstream(),
      open: (channel = first) => {
        const now = this.#upstream();
        if (now === undefined || now.isFull) return undefined;
        const node = now.primaryFor(channel === undefined ? now.anyPlace(true) : this.#placeOf(now, channel));
        if (node === null) return undefined;
        const own = new OwnConnection(now, node, kind);
        own.patienceMs = session.home.routing.terms.opTimeoutMs;
        // Nodes of a cluster tell each other of messages, plain servers do not.
        if (now.checksSlots) return own;
        own.isMisplaced =
          channel === undefined
            ? () => (now.primaryFor(now.anyPlace(true)) ?? node) !== node
            : this.#hasOthers(now, node, () => made.shardChannels);
        return own;
      },
      isElsewhere: (channel, node) => {
        const now = this.#upstream();
        if (now === undefined || now.checksSlots) return false;
        return (now.primaryFor(this.#placeOf(now, channel)) ?? node) !== node;
      },
      moved: (moved) => this.#moved(moved),
      count: (subscribing) => {
        if (subscribing !== 'ssubscribe') return this.#classicSize;
        return [...this.#sharded.keys()].reduce((sum, { size }) => sum + size, this.#onTheirWay().length);
      },
    });
    return made;
  }

  /** How many channels and patterns. */
  get #classicSize(): number {
    return (this.#classic?.size ?? 0) + (this.#notifications?.size ?? 0);
  }

  /** Whether some channels are another plain server's than `node`; found out anew as servers come, go, or can be asked. */
  #hasOthers(upstream: Upstream, node: Node, channels: () => readonly string[]): () => boolean {
    let lookedAt = '';
    return () => {
      const servers = upstream
        .primaryPlaces()
        .map((place) => `${place} ${upstream.primaryFor(place) !== null}`);
      const now = `${this.#session.home.routing.terms.hashTags} ${servers.join(' ')}`;
      if (now === lookedAt) return false;
      lookedAt = now;
      const homes = channels().map((channel) => upstream.primaryFor(this.#placeOf(upstream, channel)));
      // One that can't be asked now is waited for.
      return homes.some((home) => home !== null && home !== node);
    };
  }

  /** Asks for them where they are by then; a client that waits for them is told, after a while, what Redis said last. */
  #moved(moved: Moved): void {
    const { name, channels, request, reply } = moved;
    if (this.#isClosed) return answer(request, reply);
    if (name === 'ssubscribe') for (const channel of channels) this.#moving.set(channel, moved);
    this.#upstream()?.noteDoubt();
    setTimeout(() => this.#settle(moved), AGAIN_MS);
  }

  #settle(moved: Moved): void {
    const { name, channels, request, reply, counts } = moved;
    const upstream = this.#upstream();
    // Not what the client has left meanwhile, or asked for anew.
    const still = channels.filter((channel) => {
      const isItsOwn = this.#moving.get(channel) === moved && this.#moving.delete(channel);
      return isItsOwn && this.#holderOf(channel) === undefined;
    });
    if (request === null) {
      if (upstream === undefined) return this.#moved({ name, channels: still, request, reply });
      for (const channel of still) this.#subscriberFor(upstream, channel).restore(channel);
      return this.#leaveUnused();
    }
    const [first] = channels;
    const isLate = performance.now() > request.startedAt + (upstream?.settings.failoverWaitMs ?? 0);
    if (this.#isClosed || upstream === undefined || first === undefined || isLate) {
      return answer(request, reply);
    }
    this.#subscriberFor(upstream, first).send(commandByName(name)!, channels, request, counts);
  }

  get isSubscribed(): boolean {
    const isSharded = [...this.#sharded.keys()].some(({ size }) => size > 0);
    return isSharded || this.#moving.size > 0 || this.#classicSize > 0;
  }

  #subscribe(bytes: Buffer, frame: RequestFrame, command: Command): void {
    const session = this.#session;
    if (frame.at - frame.start > MAX_COMMAND_BYTES) {
      return session.answer(command, encodeError(`ERR '${command.name}' names too much at once`));
    }
    const word = wordAt(bytes, frame);
    const channels = Array.from({ length: frame.count - 1 }, (_, index) => word(index + 1));
    if (channels.length === 0 && !command.name.includes('unsubscribe')) {
      return session.answer(
        command,
        encodeError(`ERR wrong number of arguments for '${command.name}' command`),
      );
    }
    const upstream = this.#upstream();
    if (upstream === undefined) return session.answer(command, REPLIES.noUpstreamHost);
    if (command.name !== 'ssubscribe' && command.name !== 'sunsubscribe') {
      const runs = this.#runs(command, channels);
      const isForOne = !runs.some(({ isOfNotifications }) => isOfNotifications);
      if (isForOne) return this.#send(this.#classicOne(upstream), command, channels);
      return session.afterAnswers(() => this.#sendInTurn(command, runs, session.hold()));
    }
    this.#sendEach(upstream, command, this.#grouped(upstream, channels));
  }

  #classicOne(upstream: Upstream): Subscriber {
    return (this.#classic ??= this.#makeSubscriber(upstream, undefined));
  }

  #runs({ name }: Command, names: readonly string[]): readonly Run[] {
    if (names.length > 0) return inRuns(name, names);
    const kind = name.startsWith('p') ? 'psubscribe' : 'subscribe';
    const notified = inRuns(name, this.#notifications?.names(kind) ?? []);
    return this.#classic?.has(kind) === true
      ? [{ isOfNotifications: false, names: [] }, ...notified]
      : notified;
  }

  /** Each once the one before it is answered: none of its messages may come before its confirmation. */
  #sendInTurn(command: Command, runs: readonly Run[], free: () => void, index = 0): void {
    const run = runs[index];
    if (run === undefined || this.#isClosed) return free();
    const upstream = this.#upstream();
    if (upstream === undefined) {
      this.#session.answer(command, REPLIES.noUpstreamHost);
      return free();
    }
    const notifications = { upstream: () => this.#upstream(), count: () => this.#classicSize };
    const to = run.isOfNotifications
      ? (this.#notifications ??= new KeyspaceNotifications(this.#session, notifications))
      : this.#classicOne(upstream);
    const next = (): void => this.#sendInTurn(command, runs, free, index + 1);
    // Not at once, as it may be answered here: there may be very many.
    this.#send(to, command, run.names, () => setImmediate(next), index === 0);
  }

  /** What one node is asked at once. */
  #grouped(upstream: Upstream, channels: readonly string[]): readonly (readonly string[])[] {
    if (channels.length === 0) {
      // From all, whichever nodes have them.
      const held = [...this.#sharded.keys()].flatMap((each) => this.#byPlace(upstream, each.shardChannels));
      return [...held, ...this.#onTheirWay().map((channel) => [channel])];
    }
    const groups = this.#byPlace(upstream, channels);
    // Of several slots a Redis Cluster has its own say.
    if (upstream.checksSlots && groups.length > 1) return [channels];
    // While a slot moves, the channels of one may be at two nodes.
    return groups.flatMap((group) =>
      grouped(
        group,
        (channel) =>
          this.#holderOf(channel) ?? this.#subscriberAt(upstream, this.#placeOf(upstream, channel)),
      ),
    );
  }

  #byPlace(upstream: Upstream, channels: readonly string[]): readonly (readonly string[])[] {
    return grouped(channels, (channel) => this.#placeOf(upstream, channel));
  }

  #sendEach(upstream: Upstream, command: Command, groups: readonly (readonly string[])[]): void {
    if (groups.length === 0) return this.#sendTo(upstream, '', command, []);
    // Held once, for all of them: freed by the first, the client would have later commands carried out before the others.
    const free = this.#session.hold();
    let missing = groups.length;
    const confirmed = (): void => {
      missing -= 1;
      if (missing === 0) free();
    };
    for (const [index, channels] of groups.entries()) {
      this.#sendTo(upstream, channels[0] ?? '', command, channels, confirmed, index === 0);
    }
  }

  /** A connection on which nothing is subscribed to any more. */
  #leaveUnused(): void {
    if (this.#classic?.isUnused === true) {
      this.#classic.close();
      this.#classic = undefined;
    }
    if (this.#notifications?.isUnused === true) {
      this.#notifications.close();
      this.#notifications = undefined;
    }
    for (const subscriber of this.#sharded.keys()) {
      if (!subscriber.isUnused) continue;
      this.#sharded.delete(subscriber);
      subscriber.close();
    }
  }

  /** `first`: the channel whose node it is for. */
  #sendTo(
    upstream: Upstream,
    first: string,
    command: Command,
    channels: readonly string[],
    free = this.#session.hold(),
    isCounted = true,
  ): void {
    const had = channels.filter(
      (channel) => this.#moving.has(channel) || this.#holderOf(channel) !== undefined,
    );
    if (command.name === 'sunsubscribe') for (const channel of channels) this.#moving.delete(channel);
    const answered = (isRefused: boolean): void => {
      if (isRefused) this.#keep(had);
      free();
    };
    this.#send(this.#subscriberFor(upstream, first), command, channels, answered, isCounted);
  }

  /** Whose client was refused has the subscriptions that it had, also where their node had let them go by then. */
  #keep(channels: readonly string[]): void {
    const upstream = this.#upstream();
    if (this.#isClosed || upstream === undefined) return;
    for (const channel of channels) {
      if (this.#moving.has(channel) || this.#holderOf(channel) !== undefined) continue;
      this.#subscriberFor(upstream, channel).restore(channel);
    }
  }

  /** What is published next, over another connection, must find the subscription made: the client is held until then. */
  #send(
    subscriber: Pick<Subscriber, 'send'>,
    command: Command,
    channels: readonly string[],
    free: (isRefused: boolean) => void = this.#session.hold(),
    isCounted = true,
  ): void {
    const request = this.#session.newRequest(command);
    // One command of its client's, whatever becomes of the others.
    if (!isCounted) request.label = UNCOUNTED;
    const sink = request.sink!;
    request.sink = inFrontOf(sink, (answered, reply, start, end) => {
      const isRefused = reply[start] === MINUS;
      handOn(sink, answered, reply, start, end);
      this.#leaveUnused();
      free(isRefused);
    });
    subscriber.send(command, channels, request);
  }
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
