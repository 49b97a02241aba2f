/**
 * The small messages that every larger one is made of.
 */
import type { Address } from './protos/envoy/config/core/v3/Address.ts';
import type { Duration } from './protos/google/protobuf/Duration.ts';

export function duration(ms: number): Duration {
  return { seconds: Math.floor(ms / 1_000), nanos: Math.round((ms % 1_000) * 1e6) };
}

export function socketAddress(address: string, port: number): Address {
  return { socket_address: { address, port_value: port } };
}
