/**
 * How a client of the control plane describes itself: what `node-view.ts` reads.
 */
import { BIND, DRAIN, HOSTS, NAMESPACE } from './node-view.ts';
import type { Node } from './protos/envoy/config/core/v3/Node.ts';
import type { Value } from './protos/google/protobuf/Value.ts';

/** As someone calls itself who only looks, and carries nothing out. */
export const ONLOOKER = 'redpilot xds get';

export interface NodeDescription {
  readonly id: string;
  readonly namespace?: string | undefined;
  readonly hosts?: readonly string[] | undefined;
  readonly bind?: string | undefined;
  readonly zone?: string | undefined;
  readonly drainSeconds?: number | undefined;
  /** undefined: an Envoy, which says so itself. */
  readonly userAgent?: string | undefined;
}

export function nodeMessage(description: NodeDescription): Node {
  const { id, zone, userAgent } = description;
  return {
    id,
    cluster: 'redpilot',
    metadata: { fields: metadata(description) },
    ...(zone === undefined ? {} : { locality: { zone } }),
    ...(userAgent === undefined ? {} : { user_agent_name: userAgent }),
  };
}

function metadata({ namespace, hosts, bind, drainSeconds }: NodeDescription): Record<string, Value> {
  return {
    ...(drainSeconds === undefined ? {} : { [DRAIN]: { numberValue: drainSeconds } }),
    ...(namespace === undefined ? {} : { [NAMESPACE]: { stringValue: namespace } }),
    ...(hosts === undefined
      ? {}
      : { [HOSTS]: { listValue: { values: hosts.map((host) => ({ stringValue: host })) } } }),
    ...(bind === undefined ? {} : { [BIND]: { stringValue: bind } }),
  };
}
