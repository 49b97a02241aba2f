import type { ReplySink, Request } from './request.ts';

const MINUS = 0x2d;

/** Any reply; connections, which know which are errors, tell their good ones by themselves. */
export function handOn(
  sink: ReplySink,
  request: Request,
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): void {
  if (bytes[start] === MINUS) sink.erred?.(request, bytes, start, end);
  sink.deliver(request, bytes, start, end);
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
