/**
 * Guards: what keeps Envoy 1.40 from answering wrongly in silence, or from crashing.
 *
 * Commands that it can't carry out are answered with an error (a fault of 100 %). The listener's metadata names them, so
 * that a data plane that carries them out well takes no notice.
 */
import { routesOf, type Listener } from '../plan/routing-plan.ts';
import type { Metadata } from './protos/envoy/config/core/v3/Metadata.ts';

export interface Guard {
  /** In lower case. */
  readonly command: string;
  /** A clause that reads on after the command's name. */
  readonly why: string;
}

/** Under which the listener's metadata names the guarded commands, which are those of its first fault. */
const METADATA = 'redpilot';

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

export function guardMetadata(guards: readonly Guard[]): Metadata {
  const values = guards.map(({ command }) => ({ stringValue: command }));
  return { filter_metadata: { [METADATA]: { fields: { guards: { listValue: { values } } } } } };
}

/** Empty: there are no guards. */
export function guardedCommands(metadata: Metadata | null | undefined): readonly string[] {
  const values = metadata?.filter_metadata?.[METADATA]?.fields?.['guards']?.listValue?.values ?? [];
  return values.flatMap(({ stringValue }) => stringValue ?? []);
}

function hasPartialMirror(listener: Listener): boolean {
  return routesOf(listener).some(({ mirrors }) => mirrors.some(({ percentage }) => percentage < 100));
}
