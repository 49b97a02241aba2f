/**
 * What the server counts.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

import { CLUSTER_TYPE, ENDPOINTS_TYPE, LISTENER_TYPE, type TypeUrl } from '../envoy/resource.ts';
import type { Refusal } from './refusal.ts';
import { Tally } from './tally.ts';

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
  /** The server's own certificate ends then. */
  certificateEnds(notAfter: Date): void;
  streamOpened(): void;
  streamClosed(): void;
  /** `type` is undefined where the request names none that is served. */
  request(type: TypeUrl | undefined, outcome: RequestOutcome): void;
  response(type: TypeUrl, bytes: number): void;
  /** A change, that long after it was made. */
  acknowledged(type: TypeUrl, latencyMs: number): void;
}

/** From an Envoy beside the server to one that warms a cluster whose Redis is slow, or waits for one that is down. */
const LATENCY_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

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
  const certificateEnd = new Gauge({
    name: 'redpilot_tls_certificate_not_after_seconds',
    help: "When the server's certificate in force ends, in seconds since 1970; 0 without TLS",
    registers,
  });
  const streams = new Gauge({ name: 'redpilot_xds_streams', help: 'Open xDS streams', registers });
  const requests = new Tally({
    name: 'redpilot_xds_requests_total',
    help: 'Requests on xDS streams, by what they were',
    labelNames: ['type', 'outcome'],
    registers,
  });
  const responses = new Tally({
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
  const bytesSent = new Tally({
    name: 'redpilot_xds_response_bytes_total',
    help: 'Bytes of responses sent on xDS streams, before TLS and HTTP/2',
    labelNames: ['type'],
    registers,
  });
  const latencies = new Histogram({
    name: 'redpilot_xds_change_to_acknowledge_seconds',
    help: 'From a change of what a node is served to its acknowledgement or refusal',
    labelNames: ['type'],
    buckets: LATENCY_BUCKETS,
    registers,
  });
  return {
    connectionOpened: () => connections.inc(),
    connectionClosed: () => connections.dec(),
    connectionRefused: () => refused.inc(),
    certificateEnds: (notAfter) => certificateEnd.set(notAfter.getTime() / 1_000),
    streamOpened: () => streams.inc(),
    streamClosed: () => streams.dec(),
    request(type, outcome) {
      const word = type === undefined ? 'none' : typeWord(type);
      requests.add(1, word, outcome);
      if (outcome === 'rejected') rejections.inc({ type: word });
    },
    response(type, bytes) {
      const word = typeWord(type);
      responses.add(1, word);
      bytesSent.add(bytes, word);
    },
    acknowledged: (type, latencyMs) => latencies.observe({ type: typeWord(type) }, latencyMs / 1_000),
  };
}
