/**
 * What a client under test is sent, by name and version, and a receiver that writes down what it is told.
 */
import { decode, encode } from '../../src/envoy/codec.ts';
import {
  CLUSTER_TYPE,
  ENDPOINTS_TYPE,
  LISTENER_TYPE,
  type Resource,
  type TypeUrl,
} from '../../src/envoy/resource.ts';
import { ResourceSet, type Snapshot } from '../../src/envoy/resource-set.ts';
import type { Receiver } from '../../src/xds/follow.ts';
import type { ReceivedResource } from '../../src/xds/received.ts';

const SHORT: Readonly<Record<TypeUrl, string>> = {
  [CLUSTER_TYPE]: 'CDS',
  [ENDPOINTS_TYPE]: 'EDS',
  [LISTENER_TYPE]: 'LDS',
};

export interface Spec {
  /** Name and version; those in capitals wait for endpoints. */
  readonly clusters?: Readonly<Record<string, number>>;
  readonly endpoints?: Readonly<Record<string, number>>;
  readonly listeners?: Readonly<Record<string, number>>;
}

export function snapshotOf({ clusters = {}, endpoints = {}, listeners = {} }: Spec): Snapshot {
  const set = (
    typeUrl: TypeUrl,
    of: Readonly<Record<string, number>>,
    bytesOf: (name: string, version: number) => Buffer,
  ): [TypeUrl, ResourceSet] => [
    typeUrl,
    ResourceSet.of(
      Object.entries(of)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, version]): Resource => ({
          typeUrl,
          name,
          version: String(version),
          bytes: bytesOf(name, version),
        })),
    ),
  ];
  return new Map([
    set(CLUSTER_TYPE, clusters, (name, version) =>
      encode('envoy.config.cluster.v3.Cluster', {
        name,
        type: name === name.toUpperCase() ? 'EDS' : 'STATIC',
        connect_timeout: { seconds: version },
      }),
    ),
    set(ENDPOINTS_TYPE, endpoints, (name, version) =>
      encode('envoy.config.endpoint.v3.ClusterLoadAssignment', {
        cluster_name: name,
        endpoints: [{ priority: version }],
      }),
    ),
    set(LISTENER_TYPE, listeners, (name, version) =>
      encode('envoy.config.listener.v3.Listener', {
        name,
        address: { socket_address: { address: '127.0.0.1', port_value: version } },
      }),
    ),
  ]);
}

/** Writes down what it is told: `LDS +a -b`. */
export class Recorder implements Receiver {
  readonly told: string[] = [];
  /** By name: why it is refused. */
  readonly refused = new Map<string, string>();
  readonly #waiting = new Set<string>();
  readonly #endpoints = new Set<string>();

  apply(
    typeUrl: TypeUrl,
    changed: readonly ReceivedResource[],
    removed: readonly string[],
  ): Promise<ReadonlyMap<string, string>> {
    const words = [...changed.map(({ name }) => `+${name}`), ...removed.map((name) => `-${name}`)];
    this.told.push([SHORT[typeUrl], ...words].join(' '));
    if (typeUrl === CLUSTER_TYPE) {
      for (const { name, bytes } of changed)
        if (decode('envoy.config.cluster.v3.Cluster', bytes).type === 'EDS') this.#waiting.add(name);
      for (const name of removed) this.#waiting.delete(name);
    }
    if (typeUrl === ENDPOINTS_TYPE)
      for (const name of [...changed.map(({ name: one }) => one), ...removed]) this.#endpoints.add(name);
    const names = changed.map(({ name }) => name);
    return Promise.resolve(new Map([...this.refused].filter(([name]) => names.includes(name))));
  }

  endpointsNames(): ReadonlySet<string> {
    return this.#waiting;
  }

  missingEndpoints(): readonly string[] {
    return [...this.#waiting].filter((name) => !this.#endpoints.has(name));
  }
}
