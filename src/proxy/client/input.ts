/**
 * What one client has sent, cut into commands; keeps the begin of one whose rest has not come.
 *
 * Tight: a command that comes whole is never copied here (`npm run bench -- proxy`).
 */
import { INCOMPLETE, RequestFrame, type FrameStatus, type RequestLimits } from '../../redis/request-frame.ts';
import { Partial, STEP_BYTES } from '../wire/partial.ts';
import { clock } from '../wire/turn.ts';
import { Arrivals } from './arrivals.ts';
import { noteFinished, noteUnfinished, type Unfinished } from './unfinished.ts';

export interface InputHandler extends Unfinished {
  /** When what is dispatched came; 0: now. */
  waitedSince: number;
  limits(): RequestLimits;
  /** A command, or what came in its place. The bytes are valid during the call. */
  dispatch(bytes: Buffer, frame: RequestFrame, status: FrameStatus): void;
  tooBig(): void;
}

/** When such a share of what waited is worked off, the rest is moved to a place of its own. */
const WORKED_OFF = 0.25;

/** One for all clients, while their commands come whole. */
let shared = new RequestFrame();

export class Input {
  readonly #handler: InputHandler;
  readonly #maxBytes: number;
  #partial: Partial | null = null;
  /** Where in it begins what waits. */
  #from = 0;
  /** How far the partial command was understood; null: it was not looked at. */
  #frame: RequestFrame | null = null;
  /** Of what came while the handler had stopped. */
  readonly #arrivals = new Arrivals();

  constructor(handler: InputHandler, maxBytes: number) {
    this.#handler = handler;
    this.#maxBytes = maxBytes;
  }

  feed(bytes: Buffer, length: number): void {
    const partial = this.#partial;
    if (partial === null) return this.#work(bytes, 0, length);
    if (this.#frame !== null && !this.#handler.isStopped)
      return this.#complete(partial, this.#frame, bytes, length);
    partial.append(bytes, 0, length);
    this.#arrivals.note(partial.length, clock.now);
  }

  /** Goes on with what came while the handler had stopped. */
  proceed(): void {
    const partial = this.#partial;
    if (partial === null) return;
    const frame = this.#frame;
    if (frame === null) {
      this.#partial = null;
      this.#work(partial.bytes, this.#from, partial.length, partial);
      return;
    }
    const status = frame.parse(partial.bytes, partial.length, this.#handler.limits());
    if (status === INCOMPLETE) return noteUnfinished(this.#handler);
    this.#handler.waitedSince = this.#arrivals.of(frame.at);
    const next = this.#finish(partial, frame, status);
    this.#handler.waitedSince = 0;
    this.#work(partial.bytes, next, partial.length, partial);
  }

  /** As if all that waits came only now. */
  countAnew(): void {
    this.#arrivals.countAnew(clock.now);
  }

  /** How many bytes wait here. */
  get length(): number {
    return this.#partial === null ? 0 : this.#partial.length - this.#from;
  }

  drop(): void {
    this.#partial = null;
    this.#arrivals.clear();
    if (this.#frame !== null) noteFinished(this.#handler);
    this.#frame = null;
  }

  /** `own`: whose bytes they are, where they are ours already. */
  #work(bytes: Buffer, from: number, length: number, own: Partial | null = null): void {
    const handler = this.#handler;
    let at = from;
    while (at < length && !handler.isStopped) {
      const frame = shared;
      frame.begin(at);
      const status = frame.parse(bytes, length, handler.limits());
      if (status === INCOMPLETE) {
        // The frame goes with the bytes, so that nothing is looked at twice.
        shared = new RequestFrame();
        frame.shift(at);
        this.#frame = frame;
        noteUnfinished(handler);
        break;
      }
      at = frame.at;
      if (own !== null) handler.waitedSince = this.#arrivals.of(at);
      handler.dispatch(bytes, frame, status);
    }
    if (own !== null) handler.waitedSince = 0;
    if (at >= length) return this.#arrivals.clear();
    // Who is stopped at each of many commands would have all behind them copied each time.
    const staysThere = own !== null && this.#frame === null && at < WORKED_OFF * length;
    this.#partial = staysThere ? own : new Partial();
    this.#from = staysThere ? at : 0;
    if (staysThere) return;
    this.#partial.append(bytes, at, length);
    if (own !== null) this.#arrivals.move(at);
    else if (this.#frame === null) this.#arrivals.note(this.#partial.length, clock.now);
  }

  #complete(partial: Partial, frame: RequestFrame, bytes: Buffer, length: number): void {
    const before = partial.length;
    this.#arrivals.clear();
    for (let taken = 0; taken < length;) {
      const missing = Math.max(STEP_BYTES, frame.missing(partial.length));
      const next = Math.min(length, taken + missing);
      partial.append(bytes, taken, next, partial.length + missing);
      taken = next;
      if (partial.length > this.#maxBytes) return this.#handler.tooBig();
      const status = frame.parse(partial.bytes, partial.length, this.#handler.limits());
      if (status === INCOMPLETE) continue;
      const end = this.#finish(partial, frame, status);
      this.#work(bytes, Math.max(0, end - before), length);
      return;
    }
    noteUnfinished(this.#handler);
  }

  /** Returns where the next command begins in the partial's bytes. */
  #finish(partial: Partial, frame: RequestFrame, status: FrameStatus): number {
    this.#partial = null;
    this.#frame = null;
    noteFinished(this.#handler);
    const end = frame.at;
    this.#handler.dispatch(partial.bytes, frame, status);
    return end;
  }
}
