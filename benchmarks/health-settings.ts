/**
 * The settings that were compared when ours were chosen: each a change of our cluster.
 */
import type { ClusterJson } from './static-sidecar.ts';

interface HealthCheck {
  readonly interval?: string;
  readonly unhealthy_threshold?: number;
}

export interface Variant {
  readonly name: string;
  readonly change: (cluster: ClusterJson) => ClusterJson;
}

function withHealthCheck(
  fields: HealthCheck & { readonly timeout?: string; readonly refresh?: string },
): (cluster: ClusterJson) => ClusterJson {
  const { refresh, ...check } = fields;
  return (cluster) => {
    const [first] = cluster['health_checks'] as object[];
    const type = cluster['cluster_type'] as { readonly typed_config: object };
    return {
      ...cluster,
      health_checks: [{ ...first, ...check }],
      cluster_type:
        refresh === undefined
          ? type
          : { ...type, typed_config: { ...type.typed_config, cluster_refresh_rate: refresh } },
    };
  };
}

export const VARIANTS: readonly Variant[] = [
  { name: 'ours', change: (cluster) => cluster },
  {
    name: 'health check every 0.5 s, refresh 1 s',
    change: withHealthCheck({ interval: '0.5s', timeout: '0.5s', refresh: '1s' }),
  },
  {
    name: 'health check every 1 s, refresh 2 s',
    change: withHealthCheck({ interval: '1s', timeout: '0.5s', refresh: '2s' }),
  },
  {
    name: 'health check every 2 s, refresh 5 s',
    change: withHealthCheck({ interval: '2s', timeout: '1s', refresh: '5s' }),
  },
  {
    name: 'health check every 1 s, unhealthy after 2, refresh 2 s',
    change: withHealthCheck({ interval: '1s', timeout: '0.5s', unhealthy_threshold: 2, refresh: '2s' }),
  },
];
