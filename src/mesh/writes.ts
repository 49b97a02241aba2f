/**
 * One EnvoyFilter written or removed, so that somebody else's of the same name is never touched.
 */
import { ApiError } from '../sources/kubernetes/api-error.ts';
import type { ApiServer } from '../sources/kubernetes/api-server.ts';
import { FIELD_MANAGER, isOurs, type Manifest, type PresentFilter } from './manifest.ts';
import { filterPath } from './present-filters.ts';

export interface ApplyOptions {
  readonly api: Pick<ApiServer, 'request'>;
  readonly manifest: Manifest;
  readonly replaces: PresentFilter | undefined;
  readonly controlPlane: string;
  readonly onWarning: (text: string) => void;
}

/** Somebody else has the name. */
export class ForeignFilter extends Error {}

/** The EnvoyFilter as it is then. */
export async function applyFilter(options: ApplyOptions): Promise<PresentFilter> {
  const { api, manifest, replaces } = options;
  const { namespace, name } = manifest.metadata;
  const path = filterPath(namespace, name);
  const known = replaces ?? (await readFilter(api, path));
  try {
    return await applyOver(known, options);
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 409)) throw error;
    if (known === undefined) throw new ForeignFilter(foreign(namespace, name));
    // It is not what was seen any more, and may be somebody else's by now.
    return await applyOver(await readFilter(api, path), options);
  }
}

/** Only over that very one; undefined: only where there is none. */
async function applyOver(
  known: PresentFilter | undefined,
  { api, manifest, controlPlane, onWarning }: ApplyOptions,
): Promise<PresentFilter> {
  const { namespace, name } = manifest.metadata;
  if (known !== undefined && !isOurs(known, controlPlane)) throw new ForeignFilter(foreign(namespace, name));
  const { uid, resourceVersion } = known?.metadata ?? {};
  return (await api.request(filterPath(namespace, name), {
    method: 'PATCH',
    // Of an EnvoyFilter that comes between the look and this, nothing is taken over.
    query: { fieldManager: FIELD_MANAGER, force: String(known !== undefined) },
    contentType: 'application/apply-patch+yaml',
    body: { ...manifest, metadata: { ...manifest.metadata, uid, resourceVersion } },
    onWarning,
  })) as PresentFilter;
}

/** Only that very one, as it was seen. */
export async function removeFilter(
  api: Pick<ApiServer, 'request'>,
  { metadata }: PresentFilter,
): Promise<void> {
  const { namespace = '', name, uid, resourceVersion } = metadata;
  try {
    await api.request(filterPath(namespace, name), {
      method: 'DELETE',
      body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } },
    });
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
  }
}

async function readFilter(api: Pick<ApiServer, 'request'>, path: string): Promise<PresentFilter | undefined> {
  try {
    return (await api.request(path)) as PresentFilter;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

function foreign(namespace: string, name: string): string {
  return `there is an EnvoyFilter ${namespace}/${name} that is not ours and stays as it is; delete or rename it`;
}
