/**
 * The HTTP side: health, readiness, metrics and the configuration in force, for people and probes.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';

import type { Registry } from 'prom-client';

import { addressOf } from '../api/host-port.ts';
import { listenProblem } from '../api/listen-problem.ts';
import { type CertificateFiles, readCertificates, tlsContext } from '../tls/certificate-files.ts';
import { watchCertificates } from '../tls/watch.ts';

export interface AdminOptions {
  /** `HOST:PORT`; port 0 takes a free one. */
  readonly address: { readonly host: string; readonly port: number };
  /** undefined when ready; else what is still missing. */
  readonly notReady: () => string | undefined | Promise<string | undefined>;
  readonly metrics: Pick<Registry, 'contentType' | 'metrics'>;
  /** By path: plain JSON, or a promise of it, free of secrets. */
  readonly documents: Readonly<Record<string, () => unknown>>;
  /** Mutual TLS; undefined: in the clear. */
  readonly tls?: AdminTls | undefined;
}

export interface AdminTls {
  readonly files: CertificateFiles;
  readonly onProblem: (problem: string) => void;
}

export interface AdminServer {
  /** With the port that was taken where 0 was asked for. */
  readonly address: string;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Fails with one line that names the address where it can't listen there. */
export async function createAdminServer(options: AdminOptions): Promise<AdminServer> {
  const routes: Readonly<Record<string, () => Answer | Promise<Answer>>> = {
    '/healthz': () => text(200, 'ok'),
    '/readyz': async () => {
      const missing = await options.notReady();
      return missing === undefined ? text(200, 'ok') : text(503, missing);
    },
    '/metrics': async () => ({
      status: 200,
      type: options.metrics.contentType,
      body: await options.metrics.metrics(),
    }),
    ...Object.fromEntries(
      Object.entries(options.documents).map(([path, document]) => [path, async () => json(await document())]),
    ),
  };

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET is served here');
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    return route === undefined ? text(404, `there is ${Object.keys(routes).join(', ')}`) : await route();
  };

  const respond = (request: IncomingMessage, response: ServerResponse): void => {
    answer(request).then(
      (made) => send(response, made, request.method === 'HEAD'),
      (error: unknown) =>
        send(response, text(500, error instanceof Error ? error.message : String(error)), false),
    );
  };
  const { server, stopWatching } = await open(options.tls, respond);
  await listen(server, options.address.host, options.address.port);
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : options.address.port;
  return {
    address: addressOf(options.address.host, port),
    close: () =>
      new Promise((resolve) => {
        stopWatching();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Opened {
  readonly server: Server | TlsServer;
  readonly stopWatching: () => void;
}

async function open(
  tls: AdminTls | undefined,
  respond: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Opened> {
  if (tls === undefined) return { server: createServer(respond), stopWatching: () => {} };
  const certificates = await readCertificates(tls.files);
  const server = createTlsServer(
    { ...tlsContext(certificates), requestCert: true, rejectUnauthorized: true },
    respond,
  );
  const stopWatching = watchCertificates(tls.files, certificates, {
    onChange: (renewed) => server.setSecureContext(tlsContext(renewed)),
    onProblem: tls.onProblem,
  });
  return { server, stopWatching };
}

function json(document: unknown): Answer {
  return { status: 200, type: 'application/json', body: `${JSON.stringify(document, undefined, 2)}\n` };
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` };
}

function send(response: ServerResponse, { status, type, body }: Answer, headOnly: boolean): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(headOnly ? undefined : body);
}

function listen(server: Server | TlsServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    // Later ones are of a client that could not be accepted (ENOBUFS), and would end the process if nobody heard them.
    server.on('error', (error: NodeJS.ErrnoException) => {
      const why = listenProblem(error, port);
      reject(new Error(`admin address ${addressOf(host, port)} ${why}; give another with --admin-address`));
    });
    server.listen(port, host, () => resolve());
  });
}
