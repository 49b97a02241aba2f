/**
 * Subscriptions of one client, on connections of its own: one to any node for channels and patterns, one for each node
 * that has shard channels of it, one to each primary for keyspace notifications. A connection that is lost is made again,
 * with all that was subscribed on it; where the plan has another upstream, there.
 */
import { KIND, type Command } from '../../redis/command-table.ts';
import { wordAt, wordsOf, type RequestFrame } from '../../redis/request-frame.ts';
import { REPLIES, encodeBulk, encodeError, encodeWrongCount } from '../wire/encode.ts';
import type { Mode } from '../client/mode.ts';
import type { Session } from '../client/session.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { PLACE_BYTES } from './held-channels.ts';
import { HeldClient } from './held-client.ts';
import { KeyspaceNotifications } from './keyspace-notifications.ts';
import { inRuns, type Run } from './notification-names.ts';
import { ShardChannels } from './shard-channels.ts';
import { Subscriber } from './subscriber.ts';
import { messageConnection } from './message-connection.ts';

/** It is kept as strings, and put together again. */
const MAX_COMMAND_BYTES = 16_777_216;

/** What all channels of a client may take: their names are kept, and asked for again with every connection. */
const MAX_HELD_BYTES = 67_108_864;

/** So many channels of a command are asked for at once: 700,000 would take a second in which nobody else has a turn. */
const PORTION = 10_000;

const ALLOWED = new Set(['ping', 'quit', 'reset']);

export class Subscriptions implements Mode {
  readonly #session: Session;
  readonly #client: HeldClient;
  /** For channels and patterns. */
  #classic: Subscriber | undefined;
  #notifications: KeyspaceNotifications | undefined;
  readonly #shardChannels: ShardChannels;
  #isClosed = false;

  constructor(session: Session) {
    this.#session = session;
    this.#client = new HeldClient(session, () => this.#leaveUnused());
    this.#shardChannels = new ShardChannels(session, this.#client, {
      upstream: () => this.#upstream(),
      settled: () => this.#leaveUnused(),
    });
  }

  /** What follows is held until Redis has confirmed it. */
  changesWay(_bytes: Buffer, _frame: RequestFrame, command: Command): boolean {
    return command.kind === KIND.pubsub;
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
    this.#shardChannels.close();
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
    this.#shardChannels.follow(upstream);
  }

  #upstream(): Upstream | undefined {
    return this.#session.home.routing.catchAll?.upstream;
  }

  /** How many channels and patterns. */
  get #classicSize(): number {
    return (this.#classic?.size ?? 0) + (this.#notifications?.size ?? 0);
  }

  get isSubscribed(): boolean {
    return this.#classicSize > 0 || this.#shardChannels.isSubscribed;
  }

  #subscribe(bytes: Buffer, frame: RequestFrame, command: Command): void {
    const session = this.#session;
    if (frame.at - frame.start > MAX_COMMAND_BYTES) {
      return session.answer(command, encodeError(`ERR '${command.name}' names too much at once`));
    }
    const channels = wordsOf(bytes, frame).slice(1);
    if (channels.length === 0 && !command.name.includes('unsubscribe')) {
      return session.answer(command, encodeWrongCount(command.name));
    }
    if (!command.name.includes('unsubscribe') && this.#wouldHoldTooMuch(frame)) {
      session.answer(command, encodeError('ERR subscribed to too much: the names may take 64 MiB in all'));
      return session.end();
    }
    // Messages would come before a confirmation that is late.
    session.askLate(command, () => this.#ask(command, channels));
  }

  #wouldHoldTooMuch({ start, at, count }: RequestFrame): boolean {
    const held = this.#shardChannels.bytes + (this.#classic?.bytes ?? 0) + (this.#notifications?.bytes ?? 0);
    return held + at - start + count * PLACE_BYTES > MAX_HELD_BYTES;
  }

  #ask(command: Command, channels: readonly string[]): void {
    const session = this.#session;
    const upstream = this.#upstream();
    if (upstream === undefined) return session.answer(command, REPLIES.noUpstreamHost);
    const ofShards = [{ isOfNotifications: false, names: channels }];
    const runs = (isOfShards(command) ? ofShards : this.#runs(command, channels)).flatMap(inPortions);
    if (runs.length > 1 || runs[0]?.isOfNotifications === true)
      return this.#sendInTurn(command, runs, session.hold());
    if (isOfShards(command)) return this.#shardChannels.ask(upstream, command, channels);
    this.#client.ask(this.#classicOne(upstream), command, channels);
  }

  #classicOne(upstream: Upstream): Subscriber {
    const session = this.#session;
    return (this.#classic ??= new Subscriber(session, upstream.settings.failoverWaitMs, {
      upstream: () => this.#upstream(),
      open: () => {
        const now = this.#upstream();
        const own = now && messageConnection(now, now.primaryFor(now.anyPlace(true)), session);
        // Nodes of a cluster tell each other of messages, plain servers do not.
        if (now?.checksSlots === false && own !== undefined) {
          own.isMisplaced = () => (now.primaryFor(now.anyPlace(true)) ?? own.node) !== own.node;
        }
        return own;
      },
      isElsewhere: () => false,
      stuck: () => {},
      moved: () => {},
      count: () => this.#classicSize,
      takes: () => false,
      unconfirmed: () => undefined,
    }));
  }

  #runs({ name }: Command, names: readonly string[]): readonly Run[] {
    if (names.length > 0) return inRuns(name, names);
    const kind = name.startsWith('p') ? 'psubscribe' : 'subscribe';
    const notified = inRuns(name, this.#notifications?.names(kind) ?? []);
    return this.#classic?.has(kind) === true
      ? [{ isOfNotifications: false, names: [] }, ...notified]
      : notified;
  }

  /**
   * Each once the one before it is confirmed: none of its messages may come before its confirmation. What is refused ends the
   * command, as an error does for client libraries.
   */
  #sendInTurn(
    command: Command,
    runs: readonly Run[],
    free: () => void,
    index = 0,
    since = this.#session.cameAt,
  ): void {
    const run = runs[index];
    if (run === undefined || this.#isClosed) return free();
    const upstream = this.#upstream();
    if (upstream === undefined) {
      this.#session.answer(command, REPLIES.noUpstreamHost);
      return free();
    }
    const answered = (isRefused: boolean): void => {
      if (isRefused) return free();
      // Not at once, as it may be answered here: there may be very many.
      setImmediate(() => this.#sendInTurn(command, runs, free, index + 1, since));
    };
    this.#session.beginLate(since, () => this.#send(upstream, command, run, answered, index === 0));
  }

  #send(
    upstream: Upstream,
    command: Command,
    { isOfNotifications, names }: Run,
    answered: (isRefused: boolean) => void,
    isCounted: boolean,
  ): void {
    if (isOfShards(command)) return this.#shardChannels.ask(upstream, command, names, answered, isCounted);
    const notifications = { upstream: () => this.#upstream(), count: () => this.#classicSize };
    const to = isOfNotifications
      ? (this.#notifications ??= new KeyspaceNotifications(this.#session, notifications))
      : this.#classicOne(upstream);
    this.#client.ask(to, command, names, answered, isCounted);
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
    this.#shardChannels.leaveUnused();
  }
}

function isOfShards({ name }: Command): boolean {
  return name === 'ssubscribe' || name === 'sunsubscribe';
}

function inPortions({ isOfNotifications, names }: Run): readonly Run[] {
  const count = Math.max(1, Math.ceil(names.length / PORTION));
  return Array.from({ length: count }, (_, index) => ({
    isOfNotifications,
    names: names.slice(index * PORTION, (index + 1) * PORTION),
  }));
}
