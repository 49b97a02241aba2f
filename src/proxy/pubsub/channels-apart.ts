/**
 * One command about shard channels of several nodes, each of which is asked for its own. Its client is told of all together, in
 * the order in which it named them, as by one Redis. What a node refuses is said behind that, and once: to client libraries
 * (ioredis, node-redis) an error ends a command, and a confirmation that comes behind it is another's, or nobody's.
 *
 * Redis refuses a command as a whole. What other nodes have confirmed stays so nevertheless, and is told: until it were taken
 * back its messages would come to who is not subscribed, or be lost to who is.
 */
import type { Command } from '../../redis/command-table.ts';
import type { Session } from '../client/session.ts';
import { countError } from '../wire/outcomes.ts';
import { handOn, inFrontOf } from '../wire/reply-sink.ts';
import { giveRequest, type Request } from '../wire/request.ts';
import { HeldChannels } from './held-channels.ts';
import { confirm } from './subscription-messages.ts';

const MINUS = 0x2d;

/** What one node is asked for at once. */
export interface Apart {
  readonly channels: readonly string[];
  readonly ask: (request: Request) => void;
  readonly refused: () => void;
}

export class ChannelsApart {
  readonly #session: Session;
  readonly #parts: readonly Apart[];
  /** Of those that are named, those to which its client was subscribed before. */
  readonly #had = new HeldChannels();
  /** To how many it was, in all. */
  readonly #before: number;
  /** As long as nothing is told, messages of these may not be either. */
  readonly unconfirmed: ReadonlySet<string>;
  #missing: number;
  #refusal: Buffer | undefined;
  readonly #refused = new Set<string>();

  constructor(session: Session, parts: readonly Apart[], had: ReadonlySet<string>, before: number) {
    this.#session = session;
    this.#parts = parts;
    this.#missing = parts.length;
    for (const channel of had) this.#had.add('ssubscribe', channel);
    this.#before = before;
    const channels = parts.flatMap((part) => part.channels);
    this.unconfirmed = new Set(channels.filter((channel) => !had.has(channel)));
  }

  send(command: Command, named: readonly string[], request: Request): void {
    for (const { channels, ask, refused } of this.#parts) {
      const part = this.#session.newPart(command);
      part.sink = inFrontOf(request.sink!, (_, bytes, start, end) => {
        giveRequest(part);
        if (bytes[start] === MINUS) {
          this.#refusal ??= Buffer.from(bytes.subarray(start, end));
          for (const channel of channels) this.#refused.add(channel);
          refused();
        }
        this.#missing -= 1;
        if (this.#missing === 0) this.#tell(command, named, request);
      });
      ask(part);
    }
  }

  #tell({ name }: Command, named: readonly string[], request: Request): void {
    const channels = named.filter((channel) => !this.#refused.has(channel));
    const refusal = this.#refusal ?? Buffer.alloc(0);
    if (channels.length === 0) return handOn(request.sink!, request, refusal);
    const { counts } = this.#had.change(name, channels, this.#before);
    const confirmed = confirm({ name, channels, counts }, this.#session.local.protocol);
    if (refusal.length > 0) countError(request.label, refusal, 0, refusal.length);
    handOn(request.sink!, request, Buffer.concat([confirmed, refusal]));
  }
}
