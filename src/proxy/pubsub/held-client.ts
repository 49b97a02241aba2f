/**
 * A client that asks for subscriptions. What is published next, over another connection, must find them made: it is held until then.
 */
import type { Command } from '../../redis/command-table.ts';
import type { Session } from '../client/session.ts';
import { UNCOUNTED } from '../wire/outcomes.ts';
import { handOn, inFrontOf } from '../wire/reply-sink.ts';
import type { Request } from '../wire/request.ts';

const MINUS = 0x2d;

/** Whoever can be asked for subscriptions. */
interface Asked {
  send(command: Command, channels: readonly string[], request: Request): void;
}

export class HeldClient {
  readonly #session: Session;
  readonly #answered: () => void;

  /** `answered`: called after each answer. */
  constructor(session: Session, answered: () => void) {
    this.#session = session;
    this.#answered = answered;
  }

  /** `free`: what ends its being held. */
  ask(
    asked: Asked,
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
      this.#answered();
      free(isRefused);
    });
    asked.send(command, channels, request);
  }
}
