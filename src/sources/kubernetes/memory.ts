/**
 * What must survive a restart of all replicas, in a ConfigMap: the last good versions of objects that can't be carried out
 * as they are now, with the Services and slices that they were carried out with.
 */
import { ApiError } from './api-error.ts';
import type { ApiServer } from './api-server.ts';
import type { RawObject } from './reflector.ts';

export const MEMORY = 'redpilot-memory';
/** A ConfigMap may have 1 MiB. */
const MOST_CHARACTERS = 700_000;

/** Nothing where nothing was stored; fails where it can't be known. */
export async function readMemory(
  api: Pick<ApiServer, 'request'>,
  namespace: string,
): Promise<readonly RawObject[]> {
  const found = (await api.request(`/api/v1/namespaces/${namespace}/configmaps`, {
    query: { fieldSelector: `metadata.name=${MEMORY}` },
  })) as
    | { readonly items?: readonly { readonly data?: Readonly<Record<string, string>> }[] | null }
    | undefined;
  const [text] = (found?.items ?? []).map(({ data }) => data?.['objects'] ?? '');
  try {
    const objects: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(objects) ? (objects as readonly RawObject[]) : [];
  } catch {
    return [];
  }
}

/** Replaces what was stored; `objects` in the order of their importance. */
export async function writeMemory(
  api: Pick<ApiServer, 'request'>,
  namespace: string,
  text: string,
): Promise<void> {
  await api.request(`/api/v1/namespaces/${namespace}/configmaps/${MEMORY}`, {
    method: 'PATCH',
    query: { fieldManager: 'redpilot', force: 'true' },
    contentType: 'application/apply-patch+yaml',
    body: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: MEMORY, namespace, labels: { 'app.kubernetes.io/part-of': 'redpilot' } },
      data: { objects: text },
    },
  });
}

/** As many as have room. */
export function memoryText(objects: readonly RawObject[]): string {
  const texts: string[] = [];
  let length = 2;
  for (const object of objects) {
    const text = JSON.stringify(object);
    length += text.length + 1;
    if (length > MOST_CHARACTERS) break;
    texts.push(text);
  }
  return `[${texts.join(',')}]`;
}

/** Who may not read it starts without it; who gets no answer waits for one. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 403 || error.status === 404);
}
