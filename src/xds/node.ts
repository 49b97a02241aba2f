/**
 * Who is connected: the node of a stream's first request.
 */
import { ONLOOKER } from '../envoy/node.ts';
import { DRAIN } from '../envoy/node-view.ts';
import type { Node } from '../envoy/protos/envoy/config/core/v3/Node.ts';
import type { Struct } from '../envoy/protos/google/protobuf/Struct.ts';
import type { Value } from '../envoy/protos/google/protobuf/Value.ts';
import type { XdsNode } from './snapshot-source.ts';

/** undefined where the client does not say who it is. */
export function nodeOf(decoded: Node | null | undefined): XdsNode | undefined {
  if (decoded?.id === undefined || decoded.id === '') return undefined;
  // A client that is no Envoy counts its own versions.
  const isEnvoy = (decoded.user_agent_name ?? '') === '' || decoded.user_agent_name === 'envoy';
  const version = isEnvoy ? decoded.user_agent_build_version?.version : undefined;
  return {
    id: decoded.id,
    cluster: decoded.cluster ?? '',
    metadata: jsonOfStruct(decoded.metadata),
    version: version
      ? [version.major_number, version.minor_number, version.patch].map((part) => part ?? 0).join('.')
      : undefined,
    isOnlooker: decoded.user_agent_name === ONLOOKER,
  };
}

function jsonOfStruct(struct: Struct | null | undefined): Readonly<Record<string, unknown>> {
  const entries = Object.entries(struct?.fields ?? {});
  return Object.fromEntries(entries.map(([name, value]) => [name, jsonOfValue(value)]));
}

function jsonOfValue(value: Value): unknown {
  const { structValue, listValue } = value;
  if (structValue) return jsonOfStruct(structValue);
  if (listValue) return (listValue.values ?? []).map(jsonOfValue);
  return value.stringValue ?? value.numberValue ?? value.boolValue ?? null;
}

/** Envoy's own `--drain-time-s` where nothing is said. */
const DEFAULT_DRAIN_MS = 600_000;

const UNIT_MS = new Map([
  ['', 1_000],
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** How long the node's connections may go on using replaced listeners: seconds as a number, or text like `30s`. */
export function drainMsOf({ metadata }: XdsNode): number {
  const drain = metadata[DRAIN];
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(String(drain)) ?? [];
  if (amount === undefined) return DEFAULT_DRAIN_MS;
  return Number(amount) * (UNIT_MS.get(unit) ?? 1_000);
}
