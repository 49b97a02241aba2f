/**
 * An Envoy on our static configuration of one Redis Cluster, one listener for each read policy; its clusters can be changed
 * to see what a setting is worth.
 */
import type { ReadPolicy } from '../src/api/objects.ts';
import { translateObjects } from '../src/commands/translate-objects.ts';
import { freePorts } from '../src/demo/child-process.ts';
import { startEnvoy, type EnvoyProcess } from '../src/demo/envoy-process.ts';
import { staticConfiguration } from '../src/envoy/static-configuration.ts';
import { parseFile } from '../src/sources/files/documents.ts';
import { gather } from '../src/sources/files/gather.ts';
import { POLICIES, hostObjects } from '../test/e2e/objects.ts';

/** A cluster as it stands in the static configuration. */
export type ClusterJson = Record<string, unknown>;

interface Configuration {
  readonly static_resources: {
    readonly clusters: ClusterJson[];
    readonly listeners: Record<string, unknown>[];
  };
}

export interface StaticSidecar {
  readonly envoy: EnvoyProcess;
  readonly ports: ReadonlyMap<ReadPolicy, number>;
}

export interface StaticSidecarOptions {
  readonly binary: string;
  readonly seed: number;
  readonly policies?: readonly ReadPolicy[];
  /** What it returns stands in the place of our cluster. */
  readonly change?: (cluster: ClusterJson) => ClusterJson;
  readonly settings?: Readonly<Record<string, unknown>>;
}

export async function startStaticSidecar(options: StaticSidecarOptions): Promise<StaticSidecar> {
  const { binary, seed, policies = POLICIES, change = (cluster) => cluster, settings = {} } = options;
  const free = await freePorts(policies.length);
  const ports = new Map(policies.map((policy, index) => [policy, free[index] ?? 0]));
  const text = policies
    .map((readPolicy) =>
      hostObjects({
        name: readPolicy.toLowerCase().replace('_', '-'),
        port: ports.get(readPolicy) ?? 0,
        endpoints: [seed],
        mode: 'CLUSTER',
        settings: { readPolicy, ...settings },
      }),
    )
    .join('---\n');
  const { held } = gather(new Map([['objects.yaml', parseFile('objects.yaml', text, undefined)]]), new Map());
  const { plan } = translateObjects([...held.values()].map(({ object }) => object));
  const configuration = staticConfiguration(plan, (secret) => secret.reveal()) as Configuration;
  const envoy = await startEnvoy({
    binary,
    configuration: (socketPath) => ({
      admin: { address: { pipe: { path: socketPath } } },
      static_resources: {
        ...configuration.static_resources,
        clusters: configuration.static_resources.clusters.map(change),
      },
    }),
  });
  return { envoy, ports };
}

/** The same cluster with nothing but what Envoy needs: its own defaults. */
export function envoyDefaults(cluster: ClusterJson): ClusterJson {
  const { name, lb_policy, load_assignment, wait_for_warm_on_init } = cluster;
  return {
    name,
    lb_policy,
    load_assignment,
    wait_for_warm_on_init,
    cluster_type: {
      name: 'envoy.clusters.redis',
      typed_config: { '@type': 'type.googleapis.com/envoy.extensions.clusters.redis.v3.RedisClusterConfig' },
    },
  };
}
