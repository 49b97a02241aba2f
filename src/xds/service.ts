/**
 * The gRPC side of the streams: which methods there are, and a call as a transport.
 *
 * Bytes pass through: responses are put together by `wire.ts`, and requests are decoded by the stream, because a
 * deserializer that throws makes grpc-js 1.14 end the call with INTERNAL instead of INVALID_ARGUMENT.
 */
import { type ServerDuplexStream, type ServiceDefinition, status } from '@grpc/grpc-js';

import type { Transport } from './live-stream.ts';
import type { Variant } from './requests.ts';

export type XdsCall = ServerDuplexStream<Buffer, Buffer>;

const same = (bytes: Buffer): Buffer => bytes;

/** Methods of one service, each in one variant. */
export const AGGREGATED_METHODS: readonly (readonly [method: string, variant: Variant])[] = [
  ['StreamAggregatedResources', 'state of the world'],
  ['DeltaAggregatedResources', 'delta'],
];

export const aggregatedService: ServiceDefinition = serviceDefinition(
  'envoy.service.discovery.v3.AggregatedDiscoveryService',
  AGGREGATED_METHODS.map(([method]) => method),
);

function serviceDefinition(service: string, methods: readonly string[]): ServiceDefinition {
  const definitions = methods.map((method) => [
    method,
    {
      path: `/${service}/${method}`,
      requestStream: true,
      responseStream: true,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  ]);
  return Object.fromEntries(definitions);
}

export function transportOf(call: XdsCall): Transport {
  const end = (code: status, details: string): void => {
    call.emit('error', { code, details });
  };
  return {
    write: (bytes) => call.write(bytes),
    refuse: (problem) => end(status.INVALID_ARGUMENT, problem),
    fail: () => end(status.INTERNAL, 'the control plane has a fault, which its log tells'),
    leave: () => end(status.UNAVAILABLE, 'the control plane is closing'),
  };
}
