// Original file: envoy/extensions/clusters/redis/v3/redis_cluster.proto

import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../../../../google/protobuf/Duration.ts';
import type { UInt32Value as _google_protobuf_UInt32Value, UInt32Value__Output as _google_protobuf_UInt32Value__Output } from '../../../../../google/protobuf/UInt32Value.ts';
import type { BoolValue as _google_protobuf_BoolValue, BoolValue__Output as _google_protobuf_BoolValue__Output } from '../../../../../google/protobuf/BoolValue.ts';

export interface RedisClusterConfig {
  'cluster_refresh_rate'?: (_google_protobuf_Duration | null);
  'cluster_refresh_timeout'?: (_google_protobuf_Duration | null);
  'redirect_refresh_interval'?: (_google_protobuf_Duration | null);
  'redirect_refresh_threshold'?: (_google_protobuf_UInt32Value | null);
  'failure_refresh_threshold'?: (number);
  'host_degraded_refresh_threshold'?: (number);
  'enable_zone_discovery'?: (_google_protobuf_BoolValue | null);
}

export interface RedisClusterConfig__Output {
  'cluster_refresh_rate'?: (_google_protobuf_Duration__Output);
  'cluster_refresh_timeout'?: (_google_protobuf_Duration__Output);
  'redirect_refresh_interval'?: (_google_protobuf_Duration__Output);
  'redirect_refresh_threshold'?: (_google_protobuf_UInt32Value__Output);
  'failure_refresh_threshold'?: (number);
  'host_degraded_refresh_threshold'?: (number);
  'enable_zone_discovery'?: (_google_protobuf_BoolValue__Output);
}
