// Original file: envoy/extensions/health_checkers/redis/v3/redis.proto


export interface Redis {
  'key'?: (string);
}

export interface Redis__Output {
  'key'?: (string);
}
