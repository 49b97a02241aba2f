/**
 * Certificates as Secrets of a cluster: what `redpilot certs --kubernetes` takes from there and puts there.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { ApiError, reasonOf } from '../sources/kubernetes/api-error.ts';
import type { ApiServer } from '../sources/kubernetes/api-server.ts';
import { makeFolder, type Made } from '../tls/certificate-folder.ts';

type Api = Pick<ApiServer, 'request'>;

const AUTHORITY = 'redpilot-authority';
const SERVER = 'redpilot-server-tls';
const CLIENT = 'redpilot-client-tls';
const AUTHORITY_FILES = ['ca.crt', 'ca.key'] as const;
const PAIR_FILES = ['ca.crt', 'tls.crt', 'tls.key'] as const;

/** The authority that vouched for what is there already, so that it goes on to. */
export async function fetchAuthority(api: Api, namespace: string, folder: string): Promise<void> {
  let secret: { readonly data?: Readonly<Record<string, string>> };
  try {
    secret = (await api.request(`/api/v1/namespaces/${namespace}/secrets/${AUTHORITY}`)) as typeof secret;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return;
    throw error;
  }
  await makeFolder(folder);
  for (const file of AUTHORITY_FILES) {
    const encoded = secret.data?.[file];
    if (encoded === undefined)
      throw new Error(`Secret ${namespace}/${AUTHORITY} has no field ${file}; delete it`);
    await writeFile(join(folder, file), Buffer.from(encoded, 'base64'), { mode: 0o600 });
  }
}

export interface Applied {
  readonly made: readonly Made[];
  /** A line for each namespace of clients that did not get its certificate. */
  readonly failures: readonly string[];
}

/**
 * The authority and the server's certificate into `namespace`, a client's into each of `clients`: one that is gone, or
 * refuses it, must not keep the others from being renewed.
 */
export async function applySecrets(
  api: Api,
  namespace: string,
  folder: string,
  clients: readonly string[],
): Promise<Applied> {
  // The authority first: without it the next run would make another, which nobody trusts.
  const made = [await apply(api, namespace, AUTHORITY, 'Opaque', folder, AUTHORITY_FILES)];
  made.push(await apply(api, namespace, SERVER, 'kubernetes.io/tls', join(folder, 'server'), PAIR_FILES));
  const failures: string[] = [];
  for (const client of clients) {
    const pair = join(folder, 'clients', client);
    try {
      made.push(await apply(api, client, CLIENT, 'kubernetes.io/tls', pair, PAIR_FILES));
    } catch (error) {
      const isRefused = error instanceof ApiError && [403, 404].includes(error.status);
      const remedy = isRefused
        ? `; give it the Role and the RoleBinding of manifests/certificates/rbac.yaml, or take --namespace ${client} away`
        : '';
      failures.push(`Secret ${client}/${CLIENT} was not written: ${reasonOf(error)}${remedy}`);
    }
  }
  return { made, failures };
}

async function apply(
  api: Api,
  namespace: string,
  name: string,
  type: string,
  folder: string,
  files: readonly string[],
): Promise<Made> {
  const data: Record<string, string> = {};
  for (const file of files) data[file] = (await readFile(join(folder, file))).toString('base64');
  await api.request(`/api/v1/namespaces/${namespace}/secrets/${name}`, {
    method: 'PATCH',
    query: { fieldManager: 'redpilot-certs', force: 'true' },
    contentType: 'application/apply-patch+yaml',
    body: {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace, labels: { 'app.kubernetes.io/part-of': 'redpilot' } },
      type,
      data,
    },
  });
  return { path: `Secret ${namespace}/${name}`, what: files.join(', ') };
}
