/**
 * Certificates as files: the authority in a folder, and a folder for each of those that it vouches for.
 *
 *   ca.crt  ca.key
 *   server/            tls.crt  tls.key  ca.crt
 *   clients/NAMESPACE/ tls.crt  tls.key  ca.crt
 *
 * The names are those of a Kubernetes Secret of type kubernetes.io/tls, so that a folder can be mounted in its place.
 */
import { existsSync, statSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { X509Certificate } from 'node:crypto';

import { type Authority, createAuthority, type KeyPair, openAuthority, type Validity } from './authority.ts';

export interface Wanted {
  /** DNS names and addresses of the server. */
  readonly serverHosts: readonly string[];
  readonly namespaces: readonly string[];
  readonly trustDomain: string;
  readonly caValidity: Validity;
  readonly validity: Validity;
  /** Makes certificates anew that are there already; the authority stays. */
  readonly force: boolean;
}

export interface Made {
  readonly path: string;
  readonly what: string;
}

/** Writes what is missing, or everything but the authority under `force`; fails in one line. */
export async function writeCertificates(folder: string, wanted: Wanted): Promise<readonly Made[]> {
  try {
    return await write(folder, wanted);
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === undefined || path === undefined) throw error;
    const why =
      code === 'EEXIST' || code === 'ENOTDIR' ? 'is no folder' : `can't be read or written (${code})`;
    throw new Error(`${path}: ${why}; give another folder with --out`, {
      cause: error,
    });
  }
}

/** Fails before anything is written where a certificate is there already. */
async function write(folder: string, wanted: Wanted): Promise<readonly Made[]> {
  const existing = wanted.namespaces
    .map((namespace) => clientFolder(folder, namespace))
    .filter((path) => existsSync(path));
  if (existing.length > 0 && !wanted.force) {
    throw new Error(`${existing.join(', ')}: there is a certificate already; --force makes it anew`);
  }
  const made: Made[] = [];
  const authority = (await readAuthority(folder)) ?? (await writeAuthority(folder, wanted.caValidity, made));
  const serverFolder = join(folder, 'server');
  if (wanted.force || !existsSync(serverFolder)) {
    await writePair(
      serverFolder,
      await authority.issueServer(wanted.serverHosts, wanted.validity),
      authority,
    );
    made.push({ path: serverFolder, what: `the server, as ${wanted.serverHosts.join(', ')}` });
  }
  for (const namespace of wanted.namespaces) {
    const uri = `spiffe://${wanted.trustDomain}/ns/${namespace}/sa/redpilot`;
    const path = clientFolder(folder, namespace);
    await writePair(path, await authority.issueClient(uri, wanted.validity), authority);
    made.push({ path, what: `clients of namespace ${namespace}, as ${uri}` });
  }
  return made;
}

/** As the server's certificate calls it: one that is made anew is still found by the names before. undefined: there is none. */
export async function serverHostsIn(folder: string): Promise<readonly string[] | undefined> {
  const text = await readFile(join(folder, 'server', 'tls.crt')).catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const names = new X509Certificate(text).subjectAltName?.split(', ') ?? [];
    const hosts = names.flatMap((name) => /^(?:DNS|IP Address):(.+)$/.exec(name)?.[1] ?? []);
    return hosts.length > 0 ? hosts : undefined;
  } catch {
    return undefined;
  }
}

function clientFolder(folder: string, namespace: string): string {
  return join(folder, 'clients', namespace);
}

async function readAuthority(folder: string): Promise<Authority | undefined> {
  const [certFile, keyFile] = [join(folder, 'ca.crt'), join(folder, 'ca.key')];
  if (!existsSync(certFile) && !existsSync(keyFile)) return undefined;
  if (!existsSync(certFile) || !existsSync(keyFile)) {
    const [there, missing] = existsSync(certFile) ? [certFile, keyFile] : [keyFile, certFile];
    throw new Error(
      `${there} is there, but ${missing} is not; put it back, or give another folder with --out`,
    );
  }
  const pair = { certificate: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') };
  let authority: Authority;
  try {
    authority = await openAuthority(pair);
  } catch (error) {
    throw new Error(
      `${certFile} and ${keyFile} are not an authority of ours; give another folder with --out`,
      {
        cause: error,
      },
    );
  }
  const expiry = new Date(new X509Certificate(pair.certificate).validTo);
  if (expiry.getTime() < Date.now()) {
    throw new Error(`${certFile} has expired (${expiry.toISOString()}); give another folder with --out`);
  }
  return authority;
}

async function writeAuthority(folder: string, validity: Validity, made: Made[]): Promise<Authority> {
  const authority = await createAuthority(validity);
  await makeFolder(folder);
  await replace(join(folder, 'ca.key'), authority.key, 0o600);
  await replace(join(folder, 'ca.crt'), authority.certificate, 0o644);
  made.push({
    path: join(folder, 'ca.crt'),
    what: 'the authority; keep ca.key away from servers and clients',
  });
  return authority;
}

/** One level after the other: Node's own way (26) tries for ever where a folder takes none, as /proc does. */
export async function makeFolder(path: string): Promise<void> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const parent = dirname(path);
  if (parent !== path) await makeFolder(parent);
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    // Somebody else was faster, if it is one.
    if (error.code !== 'EEXIST' || !statSync(path).isDirectory()) throw error;
  });
}

/** Who follows these files sees the key first, and the certificate that belongs to it last. */
async function writePair(folder: string, { certificate, key }: KeyPair, authority: Authority): Promise<void> {
  await makeFolder(folder);
  await replace(join(folder, 'ca.crt'), authority.certificate, 0o644);
  await replace(join(folder, 'tls.key'), key, 0o600);
  await replace(join(folder, 'tls.crt'), certificate, 0o644);
}

/** Never half a file, and a new one has its mode from its first byte on. */
async function replace(path: string, text: string, mode: number): Promise<void> {
  const fresh = `${path}.new`;
  await writeFile(fresh, text, { mode });
  await rename(fresh, path);
}
