/** An HTTP server of a test before a real API server, which can answer for it that it is out of order. */
import { createServer } from 'node:http';
import { request } from 'node:https';

import type { KubeCluster } from './kube-cluster.ts';
import type { Ending } from './sidecar.ts';

export interface FailingRelay {
  /** Of the API server behind it; without TLS. */
  readonly http: string;
  /** From now on everything is answered with 500, and what is under way breaks off; false: no more. */
  fail(isFailing: boolean): void;
  /** How many requests were answered with 500. */
  failed(): number;
}

/** Closed when the test ends. */
export async function startFailingRelay(t: Ending, kube: KubeCluster): Promise<FailingRelay> {
  const ca = await kube.authority();
  let isFailing = false;
  let failures = 0;
  const server = createServer((near, answer) => {
    if (isFailing) {
      failures += 1;
      answer.writeHead(500, { 'content-type': 'application/json' });
      answer.end(JSON.stringify({ kind: 'Status', code: 500, message: 'etcdserver: leader changed' }));
      return;
    }
    const { method, url: path, headers } = near;
    const options = { host: '127.0.0.1', port: kube.port, ca, method, path, headers };
    const far = request(options, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      // Before the first event of a watch, too.
      answer.flushHeaders();
      response.pipe(answer);
      response.on('error', () => answer.destroy());
    });
    far.on('error', () => answer.destroy());
    answer.on('close', () => far.destroy());
    near.pipe(far);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    http: `http://127.0.0.1:${port}`,
    fail: (from) => {
      isFailing = from;
      if (from) server.closeAllConnections();
    },
    failed: () => failures,
  };
}
