// Original file: envoy/config/core/v3/protocol.proto

import type { UInt32Value as _google_protobuf_UInt32Value, UInt32Value__Output as _google_protobuf_UInt32Value__Output } from '../../../../google/protobuf/UInt32Value.ts';
import type { KeepaliveSettings as _envoy_config_core_v3_KeepaliveSettings, KeepaliveSettings__Output as _envoy_config_core_v3_KeepaliveSettings__Output } from '../../../../envoy/config/core/v3/KeepaliveSettings.ts';

export interface Http2ProtocolOptions {
  'max_concurrent_streams'?: (_google_protobuf_UInt32Value | null);
  'connection_keepalive'?: (_envoy_config_core_v3_KeepaliveSettings | null);
}

export interface Http2ProtocolOptions__Output {
  'max_concurrent_streams'?: (_google_protobuf_UInt32Value__Output);
  'connection_keepalive'?: (_envoy_config_core_v3_KeepaliveSettings__Output);
}
