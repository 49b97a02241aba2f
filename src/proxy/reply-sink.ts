import type { Request } from './request.ts';

/** Who waits for a request's reply: a session, a split command, or nobody (a mirror). */
export interface ReplySink {
  /** HOST:PORT of whose command it is, where that is known. */
  readonly client?: string;
  /** Whose command it is, where that is somebody else. */
  readonly asker?: ReplySink;
  /** Nobody waits any more, as far as can be seen: what was not sent yet need not be. */
  readonly isGone?: boolean;
  /** So many bytes of its are kept: of commands until a node can be asked, of replies until a fault's delay is over. */
  kept?(bytes: number): void;
  /** Takes the request's reply, `bytes[start, end)`; what must stay has to be copied. The request is the sink's again. */
  deliver(request: Request, bytes: Uint8Array, start: number, end: number): void;
}

/** For the client of another one, that does something else with the reply. */
export function inFrontOf(sink: ReplySink, deliver: ReplySink['deliver']): ReplySink {
  return {
    client: sink.client ?? '',
    asker: sink,
    get isGone() {
      return sink.isGone === true;
    },
    kept: (bytes) => sink.kept?.(bytes),
    deliver,
  };
}
