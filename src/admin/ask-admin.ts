/**
 * A question to the admin of a running control plane.
 */
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';

import { addressOf } from '../api/host-port.ts';
import { type CertificateFiles, readCertificates, tlsContext } from '../tls/certificate-files.ts';
import { handshakeProblem } from '../tls/handshake-problem.ts';
import { serverDisbelief } from '../tls/server-disbelief.ts';

const LIMIT_MS = 10_000;

const ADDRESS_HINT = 'give the address that serve has with --admin-address';

/** The body of the answer; fails with one line that names the address. */
export async function askAdmin(
  { host, port }: { readonly host: string; readonly port: number },
  path: string,
  tls: CertificateFiles | undefined,
): Promise<string> {
  const context = tls && tlsContext(await readCertificates(tls));
  const place = `the admin at ${addressOf(host, port)}`;
  const body = new Promise<{ readonly status: number; readonly text: string }>((resolve, reject) => {
    const options = { host, port, path, timeout: LIMIT_MS, agent: false, ...context };
    const asked = (context === undefined ? plainRequest : tlsRequest)(options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    asked.on('timeout', () =>
      asked.destroy(new Error(`no answer within ${LIMIT_MS / 1_000} s; ${ADDRESS_HINT}`)),
    );
    asked.on('error', reject);
    asked.end();
  });
  let answer;
  try {
    answer = await body;
  } catch (error) {
    throw new Error(`${place} can't be asked: ${reasonOf(error, host, tls !== undefined)}`, { cause: error });
  }
  if (answer.status === 404)
    throw new Error(`${place} is not that of a control plane; ${ADDRESS_HINT} (redpilot proxy has another)`);
  if (answer.status !== 200)
    throw new Error(`${place} answers ${answer.status}: ${answer.text.trim().slice(0, 200)}`);
  return answer.text;
}

function reasonOf(error: unknown, host: string, hasTls: boolean): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'ECONNREFUSED') return `nothing listens there; ${ADDRESS_HINT}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the name is not known; ${ADDRESS_HINT}`;
  if (code === 'ECONNRESET')
    return `the connection was closed; ${ADDRESS_HINT} (xDS and Redis have others)${hasTls ? '' : '; with serve --admin-tls it needs --tls-ca, --tls-cert and --tls-key'}`;
  // Whatever of HTTP it is that the parser misses.
  if (code.startsWith('HPE_')) return `what listens there speaks no HTTP; ${ADDRESS_HINT} (xDS has another)`;
  const disbelief = serverDisbelief(error.message, host);
  if (disbelief !== undefined) return disbelief;
  const handshake = handshakeProblem(error.message);
  if (handshake?.kind === 'no TLS')
    return `what listens there speaks no TLS; ${ADDRESS_HINT}, and leave out --tls-ca, --tls-cert and --tls-key where serve has no --admin-tls`;
  if (handshake?.kind === 'other') return `the TLS handshake failed (${handshake.what})`;
  return handshake === undefined ? error.message : `what listens there speaks no HTTP; ${ADDRESS_HINT}`;
}
