/**
 * What must survive a restart of all replicas, in a ConfigMap: the last good versions of objects that can't be carried out
 * as they are now, with the Services and slices that they were carried out with; what hosts said of their mode; and for
 * hosts whose servers were all replaced at once how often that was.
 */
import type { Generations, ObservedMode } from '../../world/observation.ts';
import { ApiError } from './api-error.ts';
import type { ApiServer } from './api-server.ts';
import type { RawObject } from './reflector.ts';

const MEMORY = 'redpilot-memory';
/** A ConfigMap may have 1 MiB. */
const MOST_BYTES = { objects: 600_000, modes: 250_000, generations: 50_000 };

const MODES: readonly ObservedMode[] = ['cluster', 'standalone', 'sentinel'];

export interface Remembered {
  /** In the order of their importance. */
  readonly objects: readonly RawObject[];
  /** By host (`HOST:PORT`). */
  readonly modes: ReadonlyMap<string, ObservedMode>;
  readonly generations: Generations;
}

export interface ConfigMap<Texts> {
  readonly metadata?: { readonly resourceVersion?: string };
  readonly data?: Partial<Texts>;
}

export const NOTHING: Remembered = { objects: [], modes: new Map(), generations: new Map() };

/** As the ConfigMap holds it. */
export type MemoryTexts = Readonly<Record<keyof Remembered, string>>;

/** Nothing where nothing was stored; fails where it can't be known. */
export async function readMemory(api: Pick<ApiServer, 'request'>, namespace: string): Promise<Remembered> {
  const query = { fieldSelector: `metadata.name=${MEMORY}` };
  const found = await api.request(`/api/v1/namespaces/${namespace}/configmaps`, { query });
  return parseMemory(onlyConfigMap<MemoryTexts>(found)?.data ?? {});
}

/** Of a list of at most one; an answer that is no list (a proxy's page with status 200) must not pass for an empty one. */
export function onlyConfigMap<Texts>(answer: unknown): ConfigMap<Texts> | undefined {
  const { items } = (answer ?? {}) as { readonly items?: readonly ConfigMap<Texts>[] | null };
  if (items !== null && !Array.isArray(items)) throw new ApiError(0, 'NoList', 'the answer is not a list');
  return items?.[0];
}

/** Replaces what was stored. */
export async function writeMemory(
  api: Pick<ApiServer, 'request'>,
  namespace: string,
  data: MemoryTexts,
): Promise<void> {
  await api.request(`/api/v1/namespaces/${namespace}/configmaps/${MEMORY}`, {
    method: 'PATCH',
    query: { fieldManager: 'redpilot', force: 'true' },
    contentType: 'application/apply-patch+yaml',
    body: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: MEMORY, namespace, labels: { 'app.kubernetes.io/part-of': 'redpilot' } },
      data,
    },
  });
}

/** As much of each as has room. */
export function memoryTexts({ objects, modes, generations }: Remembered): MemoryTexts {
  return {
    objects: bounded(objects, MOST_BYTES.objects),
    modes: bounded([...modes].sort(byHost), MOST_BYTES.modes),
    generations: bounded([...generations].sort(byHost), MOST_BYTES.generations),
  };
}

/** What can't be understood was written by another version, and counts as nothing. */
export function parseMemory(data: Partial<MemoryTexts>): Remembered {
  return {
    objects: listIn(data.objects) as readonly RawObject[],
    modes: new Map(
      pairsIn(data.modes).flatMap(([host, said]) => {
        const mode = MODES.find((known) => known === said);
        return mode === undefined ? [] : [[host, mode]];
      }),
    ),
    generations: new Map(
      pairsIn(data.generations).flatMap(([host, said]) =>
        typeof said === 'number' && Number.isSafeInteger(said) && said > 0 ? [[host, said]] : [],
      ),
    ),
  };
}

const byHost = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

function bounded(items: readonly unknown[], mostBytes: number): string {
  const texts: string[] = [];
  let length = 2;
  for (const item of items) {
    const text = JSON.stringify(item);
    length += Buffer.byteLength(text) + 1;
    if (length > mostBytes) break;
    texts.push(text);
  }
  return `[${texts.join(',')}]`;
}

function listIn(text: string | undefined): readonly unknown[] {
  try {
    const list: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

function pairsIn(text: string | undefined): readonly (readonly [host: string, said: unknown])[] {
  return listIn(text).flatMap((pair) => {
    const [host, said]: readonly unknown[] = Array.isArray(pair) ? pair : [];
    return typeof host === 'string' ? [[host, said] as const] : [];
  });
}

/** Who may not read it starts without it; who gets no answer waits for one. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 403 || error.status === 404);
}
