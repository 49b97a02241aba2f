import type { ReplySink } from './request.ts';

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
