/**
 * What the server counts.
 */
import { Counter, Gauge, type Registry } from 'prom-client';

import { CLUSTER_TYPE, ENDPOINTS_TYPE, LISTENER_TYPE, type TypeUrl } from '../envoy/resource.ts';
import type { Refusal } from './refusal.ts';

const WORDS: Readonly<Record<TypeUrl, string>> = {
  [CLUSTER_TYPE]: 'clusters',
  [ENDPOINTS_TYPE]: 'endpoints',
  [LISTENER_TYPE]: 'listeners',
};

/** `clusters`: the type in metrics and log lines. */
export function typeWord(typeUrl: TypeUrl): string {
  return WORDS[typeUrl];
}

export type RequestOutcome = 'subscribed' | 'accepted' | 'rejected' | 'unknown type' | Refusal['kind'];

export interface XdsMetrics {
  connectionOpened(): void;
  connectionClosed(): void;
  /** For its certificate, or because there are too many. */
  connectionRefused(): void;
  streamOpened(): void;
  streamClosed(): void;
  /** `type` is undefined where the request names none that is served. */
  request(type: TypeUrl | undefined, outcome: RequestOutcome): void;
  response(type: TypeUrl): void;
}

export function createXdsMetrics(registry: Registry): XdsMetrics {
  const registers = [registry];
  const connections = new Gauge({
    name: 'redpilot_xds_connections',
    help: 'Open xDS connections',
    registers,
  });
  const refused = new Counter({
    name: 'redpilot_xds_connections_refused_total',
    help: 'Connections refused for their certificate, or because there were too many',
    registers,
  });
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
    connectionOpened: () => connections.inc(),
    connectionClosed: () => connections.dec(),
    connectionRefused: () => refused.inc(),
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
