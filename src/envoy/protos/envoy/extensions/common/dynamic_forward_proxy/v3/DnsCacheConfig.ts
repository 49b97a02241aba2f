// Original file: envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache.proto

import type { _envoy_config_cluster_v3_Cluster_DnsLookupFamily, _envoy_config_cluster_v3_Cluster_DnsLookupFamily__Output } from '../../../../../envoy/config/cluster/v3/Cluster.ts';
import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../../../../google/protobuf/Duration.ts';
import type { UInt32Value as _google_protobuf_UInt32Value, UInt32Value__Output as _google_protobuf_UInt32Value__Output } from '../../../../../google/protobuf/UInt32Value.ts';

export interface DnsCacheConfig {
  'name'?: (string);
  'dns_lookup_family'?: (_envoy_config_cluster_v3_Cluster_DnsLookupFamily);
  'dns_refresh_rate'?: (_google_protobuf_Duration | null);
  'host_ttl'?: (_google_protobuf_Duration | null);
  'max_hosts'?: (_google_protobuf_UInt32Value | null);
}

export interface DnsCacheConfig__Output {
  'name'?: (string);
  'dns_lookup_family'?: (_envoy_config_cluster_v3_Cluster_DnsLookupFamily__Output);
  'dns_refresh_rate'?: (_google_protobuf_Duration__Output);
  'host_ttl'?: (_google_protobuf_Duration__Output);
  'max_hosts'?: (_google_protobuf_UInt32Value__Output);
}
