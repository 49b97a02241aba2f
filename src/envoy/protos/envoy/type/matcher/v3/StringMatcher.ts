// Original file: envoy/type/matcher/v3/string.proto


export interface StringMatcher {
  'exact'?: (string);
  'match_pattern'?: "exact";
}

export interface StringMatcher__Output {
  'exact'?: (string);
}
