/**
 * The certificate that the proxy's clients see: read at the start, and again when its files change.
 */
import type { Logger } from 'pino';

import { HandshakeLog } from '../proxy/handshake-log.ts';
import { ListenerTls, type ListenerCertificate } from '../proxy/listener-tls.ts';
import { readAuthorities, readPair } from '../tls/certificate-files.ts';
import { isSamePems, watchRead } from '../tls/watch.ts';
import type { ListenerFiles } from './tls-arguments.ts';

/** Fails with one line where the files are not usable now; later, those before stay in force. */
export async function openListenerTls(
  files: ListenerFiles,
  log: Logger,
): Promise<{ readonly tls: ListenerTls; readonly close: () => void }> {
  const read = async (): Promise<ListenerCertificate> => {
    const { cert, key } = await readPair('--tls-listener', files);
    const ca = files.ca === undefined ? undefined : await readAuthorities('--tls-listener-ca', files.ca);
    return { cert, key, ca };
  };
  const current = await read();
  const handshakes = new HandshakeLog(log);
  const tls = new ListenerTls(current, (client, error) => handshakes.tell(client, error));
  const close = watchRead(read, current, isSamePems, {
    onChange: (renewed) => {
      tls.renew(renewed);
      log.info('listeners have another certificate');
    },
    onProblem: (problem) => log.error(`${problem}; the listeners' certificate before stays in force`),
  });
  return { tls, close };
}
