// Original file: envoy/extensions/filters/network/redis_proxy/v3/redis_proxy.proto

import type { DataSource as _envoy_config_core_v3_DataSource, DataSource__Output as _envoy_config_core_v3_DataSource__Output } from '../../../../../../envoy/config/core/v3/DataSource.ts';
import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../../../../../google/protobuf/Duration.ts';
import type { UInt32Value as _google_protobuf_UInt32Value, UInt32Value__Output as _google_protobuf_UInt32Value__Output } from '../../../../../../google/protobuf/UInt32Value.ts';
import type { DnsCacheConfig as _envoy_extensions_common_dynamic_forward_proxy_v3_DnsCacheConfig, DnsCacheConfig__Output as _envoy_extensions_common_dynamic_forward_proxy_v3_DnsCacheConfig__Output } from '../../../../../../envoy/extensions/common/dynamic_forward_proxy/v3/DnsCacheConfig.ts';
import type { RuntimeFractionalPercent as _envoy_config_core_v3_RuntimeFractionalPercent, RuntimeFractionalPercent__Output as _envoy_config_core_v3_RuntimeFractionalPercent__Output } from '../../../../../../envoy/config/core/v3/RuntimeFractionalPercent.ts';

export interface _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ConnPoolSettings {
  'op_timeout'?: (_google_protobuf_Duration | null);
  'enable_hashtagging'?: (boolean);
  'enable_redirection'?: (boolean);
  'max_buffer_size_before_flush'?: (number);
  'buffer_flush_timeout'?: (_google_protobuf_Duration | null);
  'max_upstream_unknown_connections'?: (_google_protobuf_UInt32Value | null);
  'read_policy'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ConnPoolSettings_ReadPolicy);
  'enable_command_stats'?: (boolean);
  'dns_cache_config'?: (_envoy_extensions_common_dynamic_forward_proxy_v3_DnsCacheConfig | null);
}

export interface _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ConnPoolSettings__Output {
  'op_timeout'?: (_google_protobuf_Duration__Output);
  'enable_hashtagging'?: (boolean);
  'enable_redirection'?: (boolean);
  'max_buffer_size_before_flush'?: (number);
  'buffer_flush_timeout'?: (_google_protobuf_Duration__Output);
  'max_upstream_unknown_connections'?: (_google_protobuf_UInt32Value__Output);
  'read_policy'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ConnPoolSettings_ReadPolicy__Output);
  'enable_command_stats'?: (boolean);
  'dns_cache_config'?: (_envoy_extensions_common_dynamic_forward_proxy_v3_DnsCacheConfig__Output);
}

export interface _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes {
  'routes'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes_Route)[];
  'case_insensitive'?: (boolean);
  'catch_all_route'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes_Route | null);
}

export interface _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes__Output {
  'routes'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes_Route__Output)[];
  'case_insensitive'?: (boolean);
  'catch_all_route'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes_Route__Output);
}

// Original file: envoy/extensions/filters/network/redis_proxy/v3/redis_proxy.proto

export const _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ProtocolVersion = {
  RESP2: 'RESP2',
  RESP3: 'RESP3',
} as const;

export type _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ProtocolVersion =
  | 'RESP2'
  | 0
  | 'RESP3'
  | 1

export type _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ProtocolVersion__Output = typeof _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ProtocolVersion[keyof typeof _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ProtocolVersion]

export interface _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes_Route_ReadCommandPolicy {
  'cluster'?: (string);
}

export interface _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes_Route_ReadCommandPolicy__Output {
  'cluster'?: (string);
}

// Original file: envoy/extensions/filters/network/redis_proxy/v3/redis_proxy.proto

export const _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ConnPoolSettings_ReadPolicy = {
  MASTER: 'MASTER',
  PREFER_MASTER: 'PREFER_MASTER',
  REPLICA: 'REPLICA',
  PREFER_REPLICA: 'PREFER_REPLICA',
  ANY: 'ANY',
  LOCAL_ZONE_AFFINITY: 'LOCAL_ZONE_AFFINITY',
  LOCAL_ZONE_AFFINITY_REPLICAS_AND_PRIMARY: 'LOCAL_ZONE_AFFINITY_REPLICAS_AND_PRIMARY',
} as const;

export type _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ConnPoolSettings_ReadPolicy =
  | 'MASTER'
  | 0
  | 'PREFER_MASTER'
  | 1
  | 'REPLICA'
  | 2
  | 'PREFER_REPLICA'
  | 3
  | 'ANY'
  | 4
  | 'LOCAL_ZONE_AFFINITY'
  | 5
  | 'LOCAL_ZONE_AFFINITY_REPLICAS_AND_PRIMARY'
  | 6

export type _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ConnPoolSettings_ReadPolicy__Output = typeof _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ConnPoolSettings_ReadPolicy[keyof typeof _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ConnPoolSettings_ReadPolicy]

export interface _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_RedisFault {
  'fault_type'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_RedisFault_RedisFaultType);
  'fault_enabled'?: (_envoy_config_core_v3_RuntimeFractionalPercent | null);
  'delay'?: (_google_protobuf_Duration | null);
  'commands'?: (string)[];
}

export interface _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_RedisFault__Output {
  'fault_type'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_RedisFault_RedisFaultType__Output);
  'fault_enabled'?: (_envoy_config_core_v3_RuntimeFractionalPercent__Output);
  'delay'?: (_google_protobuf_Duration__Output);
  'commands'?: (string)[];
}

// Original file: envoy/extensions/filters/network/redis_proxy/v3/redis_proxy.proto

export const _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_RedisFault_RedisFaultType = {
  DELAY: 'DELAY',
  ERROR: 'ERROR',
} as const;

export type _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_RedisFault_RedisFaultType =
  | 'DELAY'
  | 0
  | 'ERROR'
  | 1

export type _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_RedisFault_RedisFaultType__Output = typeof _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_RedisFault_RedisFaultType[keyof typeof _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_RedisFault_RedisFaultType]

export interface _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes_Route_RequestMirrorPolicy {
  'cluster'?: (string);
  'runtime_fraction'?: (_envoy_config_core_v3_RuntimeFractionalPercent | null);
  'exclude_read_commands'?: (boolean);
}

export interface _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes_Route_RequestMirrorPolicy__Output {
  'cluster'?: (string);
  'runtime_fraction'?: (_envoy_config_core_v3_RuntimeFractionalPercent__Output);
  'exclude_read_commands'?: (boolean);
}

export interface _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes_Route {
  'prefix'?: (string);
  'remove_prefix'?: (boolean);
  'cluster'?: (string);
  'request_mirror_policy'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes_Route_RequestMirrorPolicy)[];
  'read_command_policy'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes_Route_ReadCommandPolicy | null);
}

export interface _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes_Route__Output {
  'prefix'?: (string);
  'remove_prefix'?: (boolean);
  'cluster'?: (string);
  'request_mirror_policy'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes_Route_RequestMirrorPolicy__Output)[];
  'read_command_policy'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes_Route_ReadCommandPolicy__Output);
}

export interface RedisProxy {
  'stat_prefix'?: (string);
  'settings'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ConnPoolSettings | null);
  'latency_in_micros'?: (boolean);
  'prefix_routes'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes | null);
  'downstream_auth_username'?: (_envoy_config_core_v3_DataSource | null);
  'faults'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_RedisFault)[];
  'downstream_auth_passwords'?: (_envoy_config_core_v3_DataSource)[];
  'protocol_version'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ProtocolVersion);
}

export interface RedisProxy__Output {
  'stat_prefix'?: (string);
  'settings'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ConnPoolSettings__Output);
  'latency_in_micros'?: (boolean);
  'prefix_routes'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes__Output);
  'downstream_auth_username'?: (_envoy_config_core_v3_DataSource__Output);
  'faults'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_RedisFault__Output)[];
  'downstream_auth_passwords'?: (_envoy_config_core_v3_DataSource__Output)[];
  'protocol_version'?: (_envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ProtocolVersion__Output);
}
