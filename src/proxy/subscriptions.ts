/**
 * Subscriptions of one client, on connections of its own: one to any node for channels and patterns, one for each node
 * that has shard channels of it. A connection that is lost is made again, with all that was subscribed on it; where the
 * plan has another upstream, there.
 */
import { KIND, type Command } from '../redis/command-table.ts';
import type { RequestFrame } from '../redis/request-frame.ts';
import { REPLIES, encodeBulk, encodeError } from './encode.ts';
import { wordAt } from './locate.ts';
import type { Mode } from './mode.ts';
import { OwnConnection } from './own-connection.ts';
import { Subscriber } from './subscriber.ts';
import type { Session } from './session.ts';
import type { Upstream } from './upstream.ts';

const ALLOWED = new Set(['ping', 'quit', 'reset', 'hello']);

export class Subscriptions implements Mode {
  readonly #session: Session;
  /** By what they are subscribed at: '' for channels and patterns, for shard channels an address, or the slot that has none. */
  readonly #subscribers = new Map<string, Subscriber>();

  constructor(session: Session) {
    this.#session = session;
  }

  take(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
    const { protocol } = this.#session.local;
    if (command.kind === KIND.pubsub) {
      this.#subscribe(bytes, frame, command);
      return true;
    }
    if (protocol === 3 || !this.#isSubscribed()) return false;
    if (command.name === 'ping') {
      const message = frame.count > 1 ? wordAt(bytes, frame)(1) : '';
      const pong = Buffer.concat([Buffer.from('*2\r\n$4\r\npong\r\n'), encodeBulk(message)]);
      this.#session.answer(pong);
      return true;
    }
    if (ALLOWED.has(command.name)) return false;
    this.#session.answer(
      encodeError(
        `ERR Can't execute '${command.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
      ),
    );
    return true;
  }

  refused(): void {}

  close(): void {
    for (const subscriber of this.#subscribers.values()) subscriber.close();
    this.#subscribers.clear();
  }

  /** The plan may have another upstream. */
  rerouted(): void {
    const upstream = this.#upstream();
    if (upstream === undefined) return;
    for (const [key, subscriber] of this.#subscribers) {
      if (key === '') {
        subscriber.follow();
      } else if (subscriber.isElsewhere(upstream)) {
        // There its channels may be of several nodes.
        this.#subscribers.delete(key);
        subscriber.close();
        for (const channel of subscriber.shardChannels) {
          const bytes = Buffer.from(channel, 'latin1');
          const place = upstream.placeOf(bytes, 0, bytes.length, true);
          this.#subscriberAt(this.#keyOf(upstream, place), upstream, channel).restore(channel);
        }
      }
    }
  }

  #upstream(): Upstream | undefined {
    return this.#session.home.routing.catchAll?.upstream;
  }

  /** `channel`: of a node's, for shard channels. */
  #subscriberAt(key: string, upstream: Upstream, channel: string | undefined): Subscriber {
    const existing = this.#subscribers.get(key);
    if (existing !== undefined) return existing;
    const session = this.#session;
    const kind = session.connectionKind();
    const bytes = channel === undefined ? undefined : Buffer.from(channel, 'latin1');
    const subscriber = new Subscriber(session, upstream.settings.failoverWaitMs, {
      upstream: () => this.#upstream(),
      open: () => {
        const now = this.#upstream();
        if (now === undefined || now.isFull) return undefined;
        const node = now.primaryFor(
          bytes === undefined ? now.anyPlace() : now.placeOf(bytes, 0, bytes.length, true),
        );
        return node === null ? undefined : new OwnConnection(now, node, kind);
      },
    });
    this.#subscribers.set(key, subscriber);
    return subscriber;
  }

  #isSubscribed(): boolean {
    return [...this.#subscribers.values()].some(({ size }) => size > 0);
  }

  #keyOf(upstream: Upstream, place: number): string {
    const waiting = `slot ${place}`;
    if (this.#subscribers.has(waiting)) return waiting;
    return upstream.primaryFor(place)?.address ?? waiting;
  }

  #subscribe(bytes: Buffer, frame: RequestFrame, command: Command): void {
    const session = this.#session;
    const word = wordAt(bytes, frame);
    const channels = Array.from({ length: frame.count - 1 }, (_, index) => word(index + 1));
    if (channels.length === 0 && !command.name.includes('unsubscribe')) {
      return session.answer(encodeError(`ERR wrong number of arguments for '${command.name}' command`));
    }
    const upstream = this.#upstream();
    if (upstream === undefined) return session.answer(REPLIES.noUpstreamHost);
    const isSharded = command.name === 'ssubscribe' || command.name === 'sunsubscribe';
    const [first = ''] = channels;
    const channel = Buffer.from(first, 'latin1');
    const place = isSharded ? upstream.placeOf(channel, 0, channel.length, true) : upstream.anyPlace();
    const key = isSharded ? this.#keyOf(upstream, place) : '';
    const subscriber = this.#subscriberAt(key, upstream, isSharded ? first : undefined);
    const request = session.newRequest(command);
    const sink = request.sink!;
    // What is published next, over another connection, must find the subscription made.
    const free = session.hold();
    request.sink = {
      deliver: (answered, reply, start, end) => {
        sink.deliver(answered, reply, start, end);
        free();
      },
    };
    subscriber.send(command, channels, request);
  }
}
