/**
 * Replies that a fault makes late, or stands in for.
 */
import type { Fault } from '../../api/objects.ts';
import type { Command } from '../../redis/command-table.ts';
import { REPLIES } from '../wire/encode.ts';
import { keptBytes } from '../wire/offered.ts';
import { handOn } from '../wire/reply-sink.ts';
import { nextGeneration, type ReplySink, type Request } from '../wire/request.ts';

interface Late {
  close(): void;
}

/** Closes what is late for it when it goes: a delay may be long. */
export interface LateClient extends ReplySink {
  own(late: Late): void;
  disown(late: Late): void;
}

interface FaultyClient extends LateClient {
  answer(command: Command, reply: Uint8Array): void;
}

/** An error in the place of what Redis would say, after the fault's delay; `expect`: who waits for it then. */
export function answerFault(
  fault: Fault,
  command: Command,
  client: FaultyClient,
  expect: () => Request,
): void {
  if (fault.delayMs === undefined) return client.answer(command, REPLIES.faultInjected);
  const request = expect();
  later(client, fault.delayMs, () => handOn(request.sink!, request, REPLIES.faultInjected));
}

/** Hands replies on later; the order among a client's replies is kept by whoever gets them. */
export class LateReplies implements ReplySink {
  readonly #client: LateClient;
  readonly #delayMs: number;

  constructor(client: LateClient, delayMs: number) {
    this.#client = client;
    this.#delayMs = delayMs;
  }

  get client(): string {
    return this.#client.client ?? '';
  }

  get asker(): ReplySink {
    return this.#client;
  }

  get isGone(): boolean {
    return this.#client.isGone === true;
  }

  kept(bytes: number): void {
    this.#client.kept?.(bytes);
  }

  deliver(request: Request, bytes: Uint8Array, start: number, end: number): void {
    const reply = keptBytes(bytes, start, end);
    // A second answer, where two nodes were asked, is nobody's.
    request.generation = nextGeneration(request.generation);
    request.sink = this.#client;
    this.kept(reply.length);
    later(this.#client, this.#delayMs, () => handOn(this.#client, request, reply));
  }
}

/** Calls `then` after a while, or when the client goes. */
export function later(client: Pick<LateClient, 'own' | 'disown'>, delayMs: number, then: () => void): void {
  const timer = setTimeout(() => {
    client.disown(late);
    then();
  }, delayMs);
  const late: Late = {
    close: () => {
      clearTimeout(timer);
      then();
    },
  };
  client.own(late);
}
