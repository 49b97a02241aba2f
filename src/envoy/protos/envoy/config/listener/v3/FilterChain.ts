// Original file: envoy/config/listener/v3/listener_components.proto

import type { Filter as _envoy_config_listener_v3_Filter, Filter__Output as _envoy_config_listener_v3_Filter__Output } from '../../../../envoy/config/listener/v3/Filter.ts';
import type { Metadata as _envoy_config_core_v3_Metadata, Metadata__Output as _envoy_config_core_v3_Metadata__Output } from '../../../../envoy/config/core/v3/Metadata.ts';
import type { TransportSocket as _envoy_config_core_v3_TransportSocket, TransportSocket__Output as _envoy_config_core_v3_TransportSocket__Output } from '../../../../envoy/config/core/v3/TransportSocket.ts';

export interface FilterChain {
  'filters'?: (_envoy_config_listener_v3_Filter)[];
  'metadata'?: (_envoy_config_core_v3_Metadata | null);
  'transport_socket'?: (_envoy_config_core_v3_TransportSocket | null);
  'name'?: (string);
}

export interface FilterChain__Output {
  'filters'?: (_envoy_config_listener_v3_Filter__Output)[];
  'metadata'?: (_envoy_config_core_v3_Metadata__Output);
  'transport_socket'?: (_envoy_config_core_v3_TransportSocket__Output);
  'name'?: (string);
}
