/**
 * Records what a real istiod makes of the golden cases (`npm run istio [-- CASE… --reads]`), and shows that a sidecar of it
 * reads from replicas. Not part of `npm test`: istiod takes 14 minutes of one processor to build.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual, promisify } from 'node:util';

import { parseAllDocuments } from 'yaml';

import type { Secret } from '../../src/api/objects.ts';
import { findEnvoy } from '../../src/demo/binaries.ts';
import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { ISTIO_DEFAULTS } from '../../src/istio/envoy-filters.ts';
import { list, map } from '../../src/istio/loose-json.ts';
import { filtersOfCase, istioCaseNames, istioInputOf } from '../golden/istio-case.ts';
import { findIstiod, startIstiod, type MeshObjects } from './istiod.ts';
import { startMeshSidecar } from './mesh-sidecar.ts';
import { showReads } from './reads.ts';
import {
  filtersOf,
  RECORDINGS,
  type RecordedSidecar,
  type RecordedState,
  type Resource,
} from './recording.ts';

interface Binaries {
  readonly istiod: string;
  readonly envoy: string;
}

/** What one sidecar holds. */
interface Held {
  readonly clusters: ReadonlyMap<string, Resource>;
  readonly listeners: ReadonlyMap<string, Resource>;
  readonly isReady: boolean;
  readonly refused: readonly string[];
}

type Document = Resource & { readonly apiVersion: string; readonly kind: string };

const say = (line: string): void => void process.stderr.write(`${line}\n`);

const binaries: Binaries = { istiod: await findIstiod(say), envoy: await findEnvoy(say) };
const asked = process.argv.slice(2);
const versions = { istio: await istioVersion(), envoy: await envoyVersion(binaries.envoy) };
await mkdir(RECORDINGS, { recursive: true });
for (const name of istioCaseNames().filter((one) => asked.length === 0 || asked.includes(one))) {
  const sidecars = await recordCase(name, binaries);
  if (sidecars.length === 0) continue;
  await writeFile(
    `${RECORDINGS}/${name}.json`,
    `${JSON.stringify(sorted({ ...versions, sidecars }), undefined, 1)}\n`,
  );
  say(`${name}: ${sidecars.map(summary).join('; ')}`);
}
if (asked.length === 0 || asked.includes('--reads')) for (const line of await showReads(binaries)) say(line);

async function recordCase(name: string, { istiod, envoy }: Binaries): Promise<readonly RecordedSidecar[]> {
  const folder = await temporaryFolder('secrets');
  const { objects, bodies } = await filtersOfCase(name, (secret) => secret.reveal(), {
    secretsDirectory: folder,
  });
  const secrets = objects.filter((object) => object.kind === 'Secret');
  await writeSecrets(folder, secrets);
  const documents = parseAllDocuments(await readFile(istioInputOf(name), 'utf8')).map(
    (document) => document.toJS() as Document,
  );
  const meshObjects = (filters: readonly object[]): MeshObjects => ({
    kubernetes: documents.filter(({ kind }) => kind === 'Service' || kind === 'EndpointSlice'),
    istio: [...documents.filter(({ kind }) => kind === 'ServiceEntry').map(withAddresses), ...filters],
  });
  const root = ISTIO_DEFAULTS.rootNamespace;
  // Nobody has clients in the root namespace.
  const namespaces = [
    ...new Set(bodies.map(({ metadata: { namespace } }) => (namespace === root ? 'shop' : namespace))),
  ];
  const sidecars: RecordedSidecar[] = [];
  for (const namespace of namespaces.sort()) {
    let common: Pick<RecordedSidecar, 'clusters' | 'listeners'> | undefined;
    const states: RecordedState[] = [];
    for (const redisFilter of [false, true]) {
      const held = async (filters: readonly object[]): Promise<Held> => {
        const mesh = await startIstiod(istiod, meshObjects(filters), { redisFilter });
        try {
          return await heldBy(envoy, mesh.port, namespace);
        } finally {
          await mesh.stop();
        }
      };
      const { resources, state } = compare(await held([]), await held(bodies), redisFilter);
      if (common !== undefined && !isDeepStrictEqual(common, resources))
        throw new Error(`${name}: what becomes of it in ${namespace} depends on PILOT_ENABLE_REDIS_FILTER`);
      common = resources;
      states.push(state);
    }
    if (common !== undefined) sidecars.push({ namespace, ...common, states });
  }
  await removeFolder(folder);
  const text = JSON.stringify(sidecars).replaceAll(folder, ISTIO_DEFAULTS.secretsDirectory);
  return JSON.parse(text) as readonly RecordedSidecar[];
}

/** From files istiod reads no status, where it puts the addresses that it has given. */
function withAddresses(entry: Document): Document {
  const given = list(map(entry['status'])['addresses']).map(({ value }) => value);
  return given.length === 0 ? entry : { ...entry, spec: { ...map(entry['spec']), addresses: given } };
}

async function writeSecrets(folder: string, secrets: readonly Secret[]): Promise<void> {
  for (const { name, data } of secrets) {
    for (const [field, text] of data) {
      const file = join(folder, name, field);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text.reveal());
    }
  }
}

function compare(
  without: Held,
  having: Held,
  redisFilter: boolean,
): { readonly resources: Pick<RecordedSidecar, 'clusters' | 'listeners'>; readonly state: RecordedState } {
  const kept: string[] = [];
  const lost: string[] = [];
  const changed: Record<string, readonly string[]> = {};
  for (const kind of ['clusters', 'listeners'] as const) {
    for (const [name, before] of without[kind]) {
      const after = having[kind].get(name);
      if (after === undefined) lost.push(name);
      else if (isDeepStrictEqual(before, after)) kept.push(name);
      else changed[name] = filtersOf(before).map((filter) => String(filter['name']));
    }
  }
  const added = (kind: 'clusters' | 'listeners'): Record<string, Resource> =>
    Object.fromEntries([...having[kind]].filter(([name]) => !kept.includes(name)));
  return {
    resources: { clusters: added('clusters'), listeners: added('listeners') },
    state: {
      redisFilter,
      isReady: having.isReady,
      refused: having.refused,
      lost: lost.sort(),
      kept: kept.sort(),
      changed,
    },
  };
}

async function heldBy(envoy: string, istiodPort: number, namespace: string): Promise<Held> {
  const sidecar = await startMeshSidecar({ envoy, istiodPort, namespace });
  try {
    const isReady = await eventually(
      'the sidecar ready',
      async () => ((await sidecar.admin('/ready')).trim() === 'LIVE' ? true : undefined),
      { deadlineMs: 30_000 },
    ).catch(() => false);
    const dump = JSON.parse(await sidecar.admin('/config_dump')) as {
      readonly configs: readonly Readonly<Record<string, readonly Dumped[]>>[];
    };
    const all = (field: string): readonly Dumped[] => dump.configs.flatMap((config) => config[field] ?? []);
    const clusters = [...all('dynamic_active_clusters'), ...all('dynamic_warming_clusters')];
    const listeners = all('dynamic_listeners');
    const present = (resource: Resource | undefined): readonly [string, Resource][] =>
      resource === undefined ? [] : [[String(resource['name']), resource]];
    return {
      clusters: new Map(clusters.flatMap(({ cluster }) => present(cluster))),
      listeners: new Map(
        listeners.flatMap(({ active_state: active, warming_state: warming }) =>
          present((active ?? warming)?.listener),
        ),
      ),
      isReady,
      refused: [...clusters, ...listeners].flatMap(({ error_state: error }) => error?.details ?? []),
    };
  } finally {
    await sidecar.stop();
  }
}

interface Dumped {
  readonly cluster?: Resource;
  readonly active_state?: { readonly listener: Resource };
  readonly warming_state?: { readonly listener: Resource };
  readonly error_state?: { readonly details: string };
}

/** Fields in the order of their names, for differences that can be read. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

function summary({ namespace, clusters, listeners, states }: RecordedSidecar): string {
  const ready = states.map(({ isReady, refused }) =>
    isReady && refused.length === 0 ? 'ready' : 'NOT READY',
  );
  return `${namespace}: ${Object.keys(clusters).length} clusters, ${Object.keys(listeners).length} listeners, ${ready.join(' and ')}`;
}

async function istioVersion(): Promise<string> {
  const text = await readFile(new URL('istiod/go.mod', import.meta.url), 'utf8');
  return /istio\.io\/istio (\S+)/.exec(text)?.[1] ?? '';
}

async function envoyVersion(envoy: string): Promise<string> {
  const { stdout } = await promisify(execFile)(envoy, ['--version']);
  return /\/(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? '';
}
