/** EnvoyFilters that are kept as a test wants them, at an API server that does as the test says. */
import type { TestContext } from 'node:test';

import { eventually as within } from '../../src/demo/eventually.ts';
import type { ConfigPatch, EnvoyFilterDocument } from '../../src/istio/envoy-filter.ts';
import type { KeptFilter } from '../../src/istio/envoy-filters.ts';
import { MeshKeeper } from '../../src/mesh/keeper.ts';
import type { ApiError } from '../../src/sources/kubernetes/api-error.ts';
import { FilterStore } from './filter-store.ts';

/** Of `redis/cache`, listening on these ports. */
export function documentOf(key: string, ...ports: readonly number[]): EnvoyFilterDocument {
  const [namespace = '', name = ''] = key.split('/');
  const configPatches = ports.map((port): ConfigPatch => {
    const address = { socket_address: { address: '127.0.0.1', port_value: port } };
    const value = { name: `redpilot_127.0.0.1_${port}`, address };
    return {
      applyTo: 'LISTENER',
      match: { context: 'SIDECAR_OUTBOUND' },
      patch: { operation: 'ADD', value },
    };
  });
  return {
    namespace,
    name,
    owner: { kind: 'RedisService', namespace: 'redis', name: 'cache' },
    body: {
      apiVersion: 'networking.istio.io/v1alpha3',
      kind: 'EnvoyFilter',
      metadata: {
        namespace,
        name,
        labels: { 'app.kubernetes.io/managed-by': 'redpilot' },
        annotations: { 'redpilot.dev/owner': 'redis/cache' },
      },
      spec: { priority: 10, configPatches },
    },
  };
}

export interface KeptMesh {
  readonly keeper: MeshKeeper;
  readonly api: FilterStore;
  readonly lines: readonly string[];
  /** From now on. */
  readonly want: (...documents: readonly EnvoyFilterDocument[]) => void;
  /** Who may write, and what stays as it is, from the next look on; how many there were. */
  readonly state: { kept: readonly KeptFilter[]; isLeader: boolean; looks: number; fault?: Error };
  /** Of `redis/cache`, as JSON, once it is as asked. */
  readonly outcome: (look: (text: string) => boolean) => Promise<string>;
}

/** Closed when the test ends. */
export function keepMesh(
  t: TestContext,
  documents: readonly EnvoyFilterDocument[],
  namespaces: readonly string[] = [],
  api = new FilterStore(),
): KeptMesh {
  const lines: string[] = [];
  const say = (line: string): void => void lines.push(line);
  const state: KeptMesh['state'] = { kept: [], isLeader: true, looks: 0 };
  let wanted = documents;
  const keeper = new MeshKeeper({
    api,
    controlPlane: 'redpilot',
    namespaces,
    drainMs: 100,
    againMs: 200,
    priority: 10,
    rootNamespace: 'istio-system',
    mayWrite: () => state.isLeader,
    wanted: () => {
      state.looks += 1;
      if (state.fault !== undefined) throw state.fault;
      return {
        filters: { write: wanted, keep: state.kept, diagnostics: [] },
        owners: new Map([['redis/cache', 'u1']]),
      };
    },
    redact: (text) => text.replaceAll(/never-shown|two\nlines/g, '[redacted]'),
    onChange: () => {},
    log: { info: say, warn: say },
  });
  keeper.start();
  t.after(() => keeper.close());
  const told = (): string => JSON.stringify(keeper.outcomeOf('redis/cache') ?? 'none');
  return {
    keeper,
    api,
    lines,
    state,
    want: (...next) => {
      wanted = next;
      keeper.wake();
    },
    outcome: (look) => eventually('an outcome', () => (look(told()) ? told() : undefined), told),
  };
}

export const eventually = <T>(what: string, look: () => T | undefined, seen?: () => string): Promise<T> =>
  within(what, look, seen === undefined ? {} : { seen });

/** Every write of an EnvoyFilter is answered with it. */
export function refusing(error: ApiError): FilterStore['refuse'] {
  return (what) => (/^GET|configmap/.test(what) ? undefined : error);
}
