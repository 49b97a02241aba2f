/**
 * Replies that a fault makes late, or stands in for.
 */
import type { Fault } from '../api/objects.ts';
import { encodeError } from './encode.ts';
import type { ReplySink } from './reply-sink.ts';
import type { Request } from './request.ts';

/** Envoy's words. */
const INJECTED = encodeError('Fault Injected: Error');

/** An error in the place of what Redis would say, after the fault's delay. */
export function answerFault(fault: Fault, request: Request): void {
  const deliver = (): void => request.sink!.deliver(request, INJECTED, 0, INJECTED.length);
  if (fault.delayMs === undefined) deliver();
  else setTimeout(deliver, fault.delayMs);
}

/** Hands replies on later; the order among a client's replies is kept by whoever gets them. */
export class LateReplies implements ReplySink {
  readonly #sink: ReplySink;
  readonly #delayMs: number;

  constructor(sink: ReplySink, delayMs: number) {
    this.#sink = sink;
    this.#delayMs = delayMs;
  }

  get client(): string {
    return this.#sink.client ?? '';
  }

  get asker(): ReplySink {
    return this.#sink;
  }

  get isGone(): boolean {
    return this.#sink.isGone === true;
  }

  deliver(request: Request, bytes: Uint8Array, start: number, end: number): void {
    const reply = Buffer.from(bytes.subarray(start, end));
    // A second answer, where two nodes were asked, is nobody's.
    request.generation += 1;
    request.sink = this.#sink;
    setTimeout(() => this.#sink.deliver(request, reply, 0, reply.length), this.#delayMs);
  }
}
