/**
 * As much of an API server as istiod needs to start: it lists what it is given and nothing else ever happens. istiod reads
 * EnvoyFilters and ServiceEntries from files then, and Services from here.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface KubeStub {
  readonly url: string;
  close(): Promise<void>;
}

interface Listed {
  readonly apiVersion: string;
  readonly kind: string;
}

/** By the last part of a collection's path. */
const KINDS: Readonly<Record<string, Listed>> = {
  services: { apiVersion: 'v1', kind: 'Service' },
  endpointslices: { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
};

export async function startKubeStub(objects: readonly Listed[]): Promise<KubeStub> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://stub');
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    if (searchParams.get('watch') !== null) {
      // Streaming lists are newer than what this knows; a plain watch stays silent.
      if (searchParams.get('sendInitialEvents') === 'true') {
        answer(422, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Invalid', code: 422 });
        return;
      }
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      return;
    }
    if (pathname === '/version') {
      answer(200, { major: '1', minor: '37', gitVersion: 'v1.37.0' });
      return;
    }
    if (request.method !== 'GET') {
      answer(403, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Forbidden', code: 403 });
      return;
    }
    const { apiVersion, kind } = KINDS[pathname.split('/').at(-1) ?? ''] ?? { apiVersion: 'v1', kind: '' };
    const items = objects.filter((object) => object.kind === kind && object.apiVersion === apiVersion);
    answer(200, { apiVersion, kind: `${kind}List`, metadata: { resourceVersion: '1' }, items });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
