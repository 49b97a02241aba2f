// Original file: envoy/config/bootstrap/v3/bootstrap.proto

import type { Address as _envoy_config_core_v3_Address, Address__Output as _envoy_config_core_v3_Address__Output } from '../../../../envoy/config/core/v3/Address.ts';

export interface Admin {
  'address'?: (_envoy_config_core_v3_Address | null);
}

export interface Admin__Output {
  'address'?: (_envoy_config_core_v3_Address__Output);
}
