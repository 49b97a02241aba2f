/**
 * What a listener says that no setting of Envoy does, for who reads the plan back from it (`received/`).
 */
import type { Guard } from './guards.ts';
import type { Metadata } from './protos/envoy/config/core/v3/Metadata.ts';

export interface Told {
  /** Commands, which are those of the first fault. */
  readonly guards: readonly string[];
  /** Zones are asked for beside a policy that Envoy has none of zones for. */
  readonly zoneAffinity: boolean;
}

const NAMESPACE = 'redpilot';

/** undefined where there is nothing to tell. */
export function listenerMetadata(guards: readonly Guard[], zoneAffinity: boolean): Metadata | undefined {
  if (guards.length === 0 && !zoneAffinity) return undefined;
  const values = guards.map(({ command }) => ({ stringValue: command }));
  const fields = {
    ...(guards.length === 0 ? {} : { guards: { listValue: { values } } }),
    ...(zoneAffinity ? { zone_affinity: { boolValue: true } } : {}),
  };
  return { filter_metadata: { [NAMESPACE]: { fields } } };
}

export function toldBy(metadata: Metadata | null | undefined): Told {
  const { guards, zone_affinity: zones } = metadata?.filter_metadata?.[NAMESPACE]?.fields ?? {};
  return {
    guards: (guards?.listValue?.values ?? []).flatMap(({ stringValue }) => stringValue ?? []),
    zoneAffinity: zones?.boolValue === true,
  };
}
