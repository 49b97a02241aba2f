/**
 * What the server counts.
 */
import { Counter, Gauge, type Registry } from 'prom-client';

import { CLUSTER_TYPE, ENDPOINTS_TYPE, LISTENER_TYPE, type TypeUrl } from '../envoy/resource.ts';

const WORDS: Readonly<Record<TypeUrl, string>> = {
  [CLUSTER_TYPE]: 'clusters',
  [ENDPOINTS_TYPE]: 'endpoints',
  [LISTENER_TYPE]: 'listeners',
};

/** `clusters`: the type in metrics and log lines. */
export function typeWord(typeUrl: TypeUrl): string {
  return WORDS[typeUrl];
}

export type RequestOutcome = 'subscribed' | 'accepted' | 'rejected' | 'unknown type' | 'malformed';

export interface XdsMetrics {
  streamOpened(): void;
  streamClosed(): void;
  /** `type` is undefined where the request names none that is served. */
  request(type: TypeUrl | undefined, outcome: RequestOutcome): void;
  response(type: TypeUrl): void;
}

export function createXdsMetrics(registry: Registry): XdsMetrics {
  const registers = [registry];
  const streams = new Gauge({ name: 'redpilot_xds_streams', help: 'Open xDS streams', registers });
  const requests = new Counter({
    name: 'redpilot_xds_requests_total',
    help: 'Requests on xDS streams, by what they were',
    labelNames: ['type', 'outcome'],
    registers,
  });
  const responses = new Counter({
    name: 'redpilot_xds_responses_total',
    help: 'Responses sent on xDS streams',
    labelNames: ['type'],
    registers,
  });
  const rejections = new Counter({
    name: 'redpilot_xds_rejections_total',
    help: 'Responses that a node refused',
    labelNames: ['type'],
    registers,
  });
  return {
    streamOpened: () => streams.inc(),
    streamClosed: () => streams.dec(),
    request(type, outcome) {
      const word = type === undefined ? 'none' : typeWord(type);
      requests.inc({ type: word, outcome });
      if (outcome === 'rejected') rejections.inc({ type: word });
    },
    response: (type) => responses.inc({ type: typeWord(type) }),
  };
}
