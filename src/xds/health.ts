/**
 * The standard health service (grpc.health.v1), for probes and load balancers: of the server as a whole, and of each xDS
 * service by its name.
 */
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

import { decode, encode } from '../envoy/codec.ts';
import type { HealthCheckRequest } from '../envoy/protos/grpc/health/v1/HealthCheckRequest.ts';
import type { HealthCheckResponse } from '../envoy/protos/grpc/health/v1/HealthCheckResponse.ts';

type Watcher = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>;

export interface Health {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
  /** From now on it does not serve; who watches is told and let go. */
  stop(): void;
}

const SERVICE = 'grpc.health.v1.Health';

function method(name: string, responseStream: boolean): ServiceDefinition[string] {
  return {
    path: `/${SERVICE}/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: (message: HealthCheckRequest) => encode('grpc.health.v1.HealthCheckRequest', message),
    requestDeserialize: (bytes: Buffer) => decode('grpc.health.v1.HealthCheckRequest', bytes),
    responseSerialize: (message: HealthCheckResponse) =>
      encode('grpc.health.v1.HealthCheckResponse', message),
    responseDeserialize: (bytes: Buffer) => decode('grpc.health.v1.HealthCheckResponse', bytes),
  };
}

/** `services` are the full names of what the server serves. */
export function createHealth(services: readonly string[]): Health {
  const known = new Set(['', SERVICE, ...services]);
  const watchers = new Set<Watcher>();
  let isServing = true;
  const answer = (): HealthCheckResponse => ({ status: isServing ? 'SERVING' : 'NOT_SERVING' });

  const check: handleUnaryCall<HealthCheckRequest, HealthCheckResponse> = ({ request }, callback) => {
    const { service = '' } = request;
    if (known.has(service)) callback(null, answer());
    else callback({ code: status.NOT_FOUND, details: 'there is no such service here' });
  };
  const watch: handleServerStreamingCall<HealthCheckRequest, HealthCheckResponse> = (call) => {
    const { service = '' } = call.request;
    call.write(known.has(service) ? answer() : { status: 'SERVICE_UNKNOWN' });
    watchers.add(call);
    call.on('cancelled', () => watchers.delete(call));
  };
  return {
    definition: { Check: method('Check', false), Watch: method('Watch', true) },
    implementation: { Check: check, Watch: watch },
    stop: () => {
      isServing = false;
      for (const watcher of watchers) {
        watcher.write(answer());
        watcher.end();
      }
    },
  };
}
