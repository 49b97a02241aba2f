/**
 * Which Envoy a node is, and what our messages can say that not every supported one understands.
 */

/** The oldest that a test runs a whole configuration on; an older one is served too, with a warning. */
export const OLDEST_ENVOY = '1.36';

/** The newest that the tests run on; a later one is served like it. */
export const NEWEST_ENVOY = '1.40';

/** Before it an Envoy may crash where the cluster of a Redis Cluster is changed or removed (docs/envoy-versions.md). */
export const FIRST_THAT_BEARS_CHANGED_CLUSTERS = '1.40';

/** Those that know zones before it end where the topology is asked for while nodes are still asked for their zones. */
export const FIRST_THAT_BEARS_ZONES = '1.40';

/**
 * Fields and enum values of our messages that the oldest Envoy lacks, and the first release that has them. A test holds
 * the list to the descriptors in that Envoy's own binary.
 */
export const KNOWN_SINCE = {
  'envoy.extensions.clusters.redis.v3.RedisClusterConfig.enable_zone_discovery': '1.38',
  'envoy.extensions.filters.network.redis_proxy.v3.RedisProxy.ConnPoolSettings.ReadPolicy.LOCAL_ZONE_AFFINITY':
    '1.38',
  'envoy.extensions.filters.network.redis_proxy.v3.RedisProxy.ConnPoolSettings.ReadPolicy.LOCAL_ZONE_AFFINITY_REPLICAS_AND_PRIMARY':
    '1.38',
  'envoy.extensions.filters.network.redis_proxy.v3.RedisProxy.protocol_version': '1.40',
} as const;

/** Compares by major and minor: patches bring no fields. A node that does not say its version is no old one. */
export function isOlder(version: string | undefined, than: string): boolean {
  if (version === undefined) return false;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [thanMajor = 0, thanMinor = 0] = than.split('.').map(Number);
  return major === thanMajor ? minor < thanMinor : major < thanMajor;
}
