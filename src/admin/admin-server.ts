/**
 * The HTTP side: health, readiness, metrics and the configuration in force, for people and probes.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';

import type { Registry } from 'prom-client';

export interface AdminOptions {
  /** `HOST:PORT`; port 0 takes a free one. */
  readonly address: { readonly host: string; readonly port: number };
  /** undefined when ready; else what is still missing. */
  readonly notReady: () => string | undefined;
  readonly metrics: Registry;
  /** Plain JSON, free of secrets. */
  readonly configDump: () => unknown;
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
    '/readyz': () => {
      const missing = options.notReady();
      return missing === undefined ? text(200, 'ok') : text(503, missing);
    },
    '/metrics': async () => ({
      status: 200,
      type: options.metrics.contentType,
      body: await options.metrics.metrics(),
    }),
    '/config_dump': () => ({
      status: 200,
      type: 'application/json',
      body: `${JSON.stringify(options.configDump(), undefined, 2)}\n`,
    }),
  };

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET is served here');
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    return route === undefined ? text(404, `there is ${Object.keys(routes).join(', ')}`) : await route();
  };

  const server = createServer((request, response) => {
    answer(request).then(
      (made) => send(response, made, request.method === 'HEAD'),
      (error: unknown) =>
        send(response, text(500, error instanceof Error ? error.message : String(error)), false),
    );
  });
  await listen(server, options.address.host, options.address.port);
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : options.address.port;
  return {
    address:
      isIP(options.address.host) === 6
        ? `[${options.address.host}]:${port}`
        : `${options.address.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` };
}

function send(response: ServerResponse, { status, type, body }: Answer, headOnly: boolean): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(headOnly ? undefined : body);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE' ? 'is in use by another process' : `can't be listened on (${error.code})`;
      reject(new Error(`admin address ${host}:${port} ${why}; give another with --admin-address`));
    });
    server.listen(port, host, () => resolve());
  });
}
