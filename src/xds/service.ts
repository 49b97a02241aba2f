/**
 * The gRPC side of the streams: which methods there are, and a call as a transport.
 *
 * Bytes pass through: responses are put together by `wire.ts` and written by `frames.ts`, and requests are decoded by the stream, because a
 * deserializer that throws makes grpc-js 1.14 end the call with INTERNAL instead of INVALID_ARGUMENT.
 */
import { type ServerDuplexStream, type ServiceDefinition, status } from '@grpc/grpc-js';

import { CLUSTER_TYPE, ENDPOINTS_TYPE, LISTENER_TYPE, type TypeUrl } from '../envoy/resource.ts';
import { frameWriter } from './frames.ts';
import type { Transport } from './live-stream.ts';
import type { Refusal } from './refusal.ts';
import type { Variant } from './requests.ts';

export type XdsCall = ServerDuplexStream<Buffer, Buffer>;

const same = (bytes: Buffer): Buffer => bytes;

export interface XdsMethod {
  readonly name: string;
  readonly variant: Variant;
}

export interface XdsService {
  /** In full, with its package. */
  readonly name: string;
  /** The only type of the service; undefined: all of them on one stream (ADS). */
  readonly only: TypeUrl | undefined;
  readonly methods: readonly XdsMethod[];
  readonly definition: ServiceDefinition;
}

export const SERVICES: readonly XdsService[] = [
  service('envoy.service.discovery.v3.AggregatedDiscoveryService', 'AggregatedResources', undefined),
  service('envoy.service.cluster.v3.ClusterDiscoveryService', 'Clusters', CLUSTER_TYPE),
  service('envoy.service.endpoint.v3.EndpointDiscoveryService', 'Endpoints', ENDPOINTS_TYPE),
  service('envoy.service.listener.v3.ListenerDiscoveryService', 'Listeners', LISTENER_TYPE),
];

function service(name: string, what: string, only: TypeUrl | undefined): XdsService {
  const methods: readonly XdsMethod[] = [
    { name: `Stream${what}`, variant: 'state of the world' },
    { name: `Delta${what}`, variant: 'delta' },
  ];
  const definitions = methods.map((method) => [
    method.name,
    {
      path: `/${name}/${method.name}`,
      requestStream: true,
      responseStream: true,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  ]);
  return { name, only, methods, definition: Object.fromEntries(definitions) as ServiceDefinition };
}

const CODES: Readonly<Record<Refusal['kind'], status>> = {
  malformed: status.INVALID_ARGUMENT,
  forbidden: status.PERMISSION_DENIED,
  'too much': status.RESOURCE_EXHAUSTED,
  full: status.RESOURCE_EXHAUSTED,
};

export function transportOf(call: XdsCall): Transport {
  const end = (code: status, details: string): void => {
    call.emit('error', { code, details });
  };
  return {
    ...frameWriter(call),
    refuse: ({ kind, problem }) => end(CODES[kind], problem),
    fail: () => end(status.INTERNAL, 'the control plane has a fault, which its log tells'),
    leave: (why) => end(status.UNAVAILABLE, why),
  };
}
