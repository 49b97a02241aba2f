/**
 * Envoy's messages as bytes and back: our subset in protos/, loaded once.
 *
 * Messages are plain objects with the field names of the protos, enums by name, an Any as its message with `@type`. The
 * generated types hold their shape; a field that they do not know would be left out without an error.
 */
import { fileURLToPath } from 'node:url';

import protoLoader, { type MessageTypeDefinition } from '@grpc/proto-loader';

import type { Bootstrap } from './protos/envoy/config/bootstrap/v3/Bootstrap.ts';
import type { Cluster } from './protos/envoy/config/cluster/v3/Cluster.ts';
import type { ClusterLoadAssignment } from './protos/envoy/config/endpoint/v3/ClusterLoadAssignment.ts';
import type { Filter } from './protos/envoy/config/listener/v3/Filter.ts';
import type { Listener } from './protos/envoy/config/listener/v3/Listener.ts';
import type { RedisClusterConfig } from './protos/envoy/extensions/clusters/redis/v3/RedisClusterConfig.ts';
import type { RedisProtocolOptions } from './protos/envoy/extensions/filters/network/redis_proxy/v3/RedisProtocolOptions.ts';
import type { RedisProxy } from './protos/envoy/extensions/filters/network/redis_proxy/v3/RedisProxy.ts';
import type { Redis } from './protos/envoy/extensions/health_checkers/redis/v3/Redis.ts';
import type { Secret } from './protos/envoy/extensions/transport_sockets/tls/v3/Secret.ts';
import type { UpstreamTlsContext } from './protos/envoy/extensions/transport_sockets/tls/v3/UpstreamTlsContext.ts';
import type { HttpProtocolOptions } from './protos/envoy/extensions/upstreams/http/v3/HttpProtocolOptions.ts';
import type { DeltaDiscoveryRequest } from './protos/envoy/service/discovery/v3/DeltaDiscoveryRequest.ts';
import type { DeltaDiscoveryResponse } from './protos/envoy/service/discovery/v3/DeltaDiscoveryResponse.ts';
import type { DiscoveryRequest } from './protos/envoy/service/discovery/v3/DiscoveryRequest.ts';
import type { DiscoveryResponse } from './protos/envoy/service/discovery/v3/DiscoveryResponse.ts';
import type { Resource } from './protos/envoy/service/discovery/v3/Resource.ts';
import type { HealthCheckRequest } from './protos/grpc/health/v1/HealthCheckRequest.ts';
import type { HealthCheckResponse } from './protos/grpc/health/v1/HealthCheckResponse.ts';

/** The messages that are encoded, decoded or put into an Any by name. */
export interface Messages {
  'envoy.config.bootstrap.v3.Bootstrap': Bootstrap;
  'envoy.config.cluster.v3.Cluster': Cluster;
  'envoy.config.endpoint.v3.ClusterLoadAssignment': ClusterLoadAssignment;
  'envoy.config.listener.v3.Filter': Filter;
  'envoy.config.listener.v3.Listener': Listener;
  'envoy.extensions.clusters.redis.v3.RedisClusterConfig': RedisClusterConfig;
  'envoy.extensions.filters.network.redis_proxy.v3.RedisProtocolOptions': RedisProtocolOptions;
  'envoy.extensions.filters.network.redis_proxy.v3.RedisProxy': RedisProxy;
  'envoy.extensions.health_checkers.redis.v3.Redis': Redis;
  'envoy.extensions.transport_sockets.tls.v3.Secret': Secret;
  'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext': UpstreamTlsContext;
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': HttpProtocolOptions;
  'envoy.service.discovery.v3.DeltaDiscoveryRequest': DeltaDiscoveryRequest;
  'envoy.service.discovery.v3.DeltaDiscoveryResponse': DeltaDiscoveryResponse;
  'envoy.service.discovery.v3.DiscoveryRequest': DiscoveryRequest;
  'envoy.service.discovery.v3.DiscoveryResponse': DiscoveryResponse;
  'envoy.service.discovery.v3.Resource': Resource;
  'grpc.health.v1.HealthCheckRequest': HealthCheckRequest;
  'grpc.health.v1.HealthCheckResponse': HealthCheckResponse;
}

export type MessageName = keyof Messages;

/** Beside src/ in the checkout and beside dist/ in the package. */
const PROTOS = fileURLToPath(new URL('../../protos', import.meta.url));

/** Files that import all the others. */
const ENTRIES = [
  'envoy/config/bootstrap/v3/bootstrap.proto',
  'envoy/extensions/clusters/redis/v3/redis_cluster.proto',
  'envoy/extensions/filters/network/redis_proxy/v3/redis_proxy.proto',
  'envoy/extensions/health_checkers/redis/v3/redis.proto',
  'envoy/extensions/transport_sockets/tls/v3/tls.proto',
  'envoy/extensions/upstreams/http/v3/http_protocol_options.proto',
  'envoy/service/discovery/v3/ads.proto',
  // As Envoy's own descriptors name the file.
  'src/proto/grpc/health/v1/health.proto',
];

/** Every top-level message and enum of our protos, by its full name. */
export const definitions = protoLoader.loadSync(ENTRIES, {
  keepCase: true,
  longs: Number,
  enums: String,
  json: true,
  includeDirs: [PROTOS],
});

export function typeUrl(name: MessageName): string {
  return `type.googleapis.com/${name}`;
}

/** Equal messages give equal bytes: fields in the order of their numbers, maps in the order of their keys' insertion. */
export function encode<N extends MessageName>(name: N, message: Messages[N]): Buffer {
  return unpooled(definitionOf(name).serialize(message));
}

/**
 * A copy in memory of its own, for bytes that are kept: small Buffers share slabs of 64 KiB, and one that lives on keeps
 * the whole slab, which made a server of 100 objects grow by 20 MB a minute (measured, `npm run soak`).
 */
export function unpooled(bytes: Uint8Array): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length);
  own.set(bytes);
  return own;
}

/** Throws where the bytes are not that message. */
export function decode<N extends MessageName>(name: N, bytes: Uint8Array): Messages[N] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return definitionOf(name).deserialize(buffer);
}

/** A message in the form that a field of type Any takes. */
export function any<N extends MessageName>(name: N, message: Messages[N]): Messages[N] & { '@type': string } {
  return { ...message, '@type': typeUrl(name) };
}

function definitionOf(name: MessageName): MessageTypeDefinition<object, object> {
  // Every name in Messages is a message of the protos; a test encodes each.
  return definitions[name] as MessageTypeDefinition<object, object>;
}
