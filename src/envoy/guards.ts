/**
 * Guards: what keeps Envoy 1.40 from answering wrongly in silence, or from crashing.
 *
 * Commands that it can't carry out are answered with an error (a fault of 100 %). The listener's metadata names them
 * (`listener-metadata.ts`), so that a data plane that carries them out well takes no notice.
 */
import { routesOf, type Listener } from '../plan/routing-plan.ts';

export interface Guard {
  /** In lower case. */
  readonly command: string;
  /** A clause that reads on after the command's name. */
  readonly why: string;
}

export function guardsOf(listener: Listener): readonly Guard[] {
  if (listener.isUnguarded) return [];
  const guards: Guard[] = [
    { command: 'watch', why: 'would have no effect: EXEC would go through although the key has changed' },
  ];
  if (hasPartialMirror(listener)) {
    guards.push({ command: 'multi', why: 'could crash Envoy where a mirror gets less than all commands' });
  }
  if (listener.leadsToPlainServers) {
    guards.push({
      command: 'select',
      why: 'would move other clients to that database, and not every time this one',
    });
  }
  return guards;
}

function hasPartialMirror(listener: Listener): boolean {
  return routesOf(listener).some(({ mirrors }) => mirrors.some(({ percentage }) => percentage < 100));
}
