/**
 * The certificate that the proxy's clients see: read at the start, and again when its files change.
 */
import type { Logger } from 'pino';

import { HandshakeLog } from '../proxy/handshake-log.ts';
import { ListenerTls, type ListenerCertificate } from '../proxy/listener-tls.ts';
import { readAuthorities, readPair } from '../tls/certificate-files.ts';
import { isSamePems, watchRead } from '../tls/watch.ts';
import type { ListenerFiles } from './tls-arguments.ts';
import type { Memory } from './workers.ts';

const MEMORY = '--tls-listener';

/**
 * Fails with one line where the files are not usable now; later, those before stay in force, also for a worker that takes
 * the place of another one.
 */
export async function openListenerTls(
  files: ListenerFiles,
  log: Logger,
  memory?: Memory,
): Promise<{ readonly tls: ListenerTls; readonly close: () => void }> {
  const read = async (): Promise<ListenerCertificate> => {
    const { cert, key } = await readPair('--tls-listener', files);
    const ca = files.ca === undefined ? undefined : await readAuthorities('--tls-listener-ca', files.ca);
    return { cert, key, ca };
  };
  const current = await read().catch((error: unknown) => {
    const known = memory?.recall(MEMORY);
    if (known === undefined) throw error;
    return fromText(known);
  });
  memory?.keep(MEMORY, toText(current));
  const handshakes = new HandshakeLog(log);
  const tls = new ListenerTls(current, (client, error) => handshakes.tell(client, error));
  const close = watchRead(read, current, isSamePems, {
    onChange: (renewed) => {
      tls.renew(renewed);
      memory?.keep(MEMORY, toText(renewed));
      log.info('listeners have another certificate');
    },
    onProblem: (problem) => log.error(`${problem}; the listeners' certificate before stays in force`),
  });
  return { tls, close };
}

/** PEM is text. */
function toText({ cert, key, ca }: ListenerCertificate): string {
  return JSON.stringify({ cert: cert.toString(), key: key.toString(), ca: ca?.toString() });
}

function fromText(text: string): ListenerCertificate {
  const { cert, key, ca } = JSON.parse(text) as Readonly<Record<'cert' | 'key', string>> & { ca?: string };
  return { cert: Buffer.from(cert), key: Buffer.from(key), ca: ca === undefined ? ca : Buffer.from(ca) };
}
