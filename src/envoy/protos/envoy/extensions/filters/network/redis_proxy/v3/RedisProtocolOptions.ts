// Original file: envoy/extensions/filters/network/redis_proxy/v3/redis_proxy.proto

import type { DataSource as _envoy_config_core_v3_DataSource, DataSource__Output as _envoy_config_core_v3_DataSource__Output } from '../../../../../../envoy/config/core/v3/DataSource.ts';

export interface RedisProtocolOptions {
  'auth_password'?: (_envoy_config_core_v3_DataSource | null);
  'auth_username'?: (_envoy_config_core_v3_DataSource | null);
}

export interface RedisProtocolOptions__Output {
  'auth_password'?: (_envoy_config_core_v3_DataSource__Output);
  'auth_username'?: (_envoy_config_core_v3_DataSource__Output);
}
