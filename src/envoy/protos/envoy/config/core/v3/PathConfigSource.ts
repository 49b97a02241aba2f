// Original file: envoy/config/core/v3/config_source.proto


export interface PathConfigSource {
  'path'?: (string);
}

export interface PathConfigSource__Output {
  'path'?: (string);
}
