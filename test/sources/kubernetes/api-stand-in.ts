/** An API server over HTTP that has no objects at first, tells watches what a test says, and gives a Secret when it says so. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

import { KubeConfig } from '@kubernetes/client-node';

export interface ApiStandIn {
  readonly config: KubeConfig;
  /** To whoever watches the collection of that name; false: nobody does yet. */
  tell(plural: string, event: object): boolean;
  /** Names of the Secrets that were asked for, each time. */
  readonly asked: readonly string[];
  /** Answers all who ask for it, and who will. */
  give(secret: { readonly metadata: { readonly name: string } }): void;
  /** The next request for it is answered so, and with the demand to wait that long. */
  refuse(plural: string, retryAfterS: number): void;
  /** Forbids everything, like one that has just started, until it is asked for that the second time. */
  forbidUntil(plural: string): void;
  /** What a list of it has. */
  list(plural: string, items: readonly object[]): void;
  /** Resets the connections of those who watch it. */
  cut(plural: string): void;
}

export async function startApiStandIn(t: TestContext): Promise<ApiStandIn> {
  const watches = new Map<string, ServerResponse>();
  const secrets = new Map<string, object>();
  const waiting: { readonly name: string; readonly response: ServerResponse }[] = [];
  const asked: string[] = [];
  const refused = new Map<string, number>();
  const lists = new Map<string, readonly object[]>();
  let opensWith: string | undefined;
  let knocked = 0;
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://api');
    const last = pathname.split('/').at(-1) ?? '';
    const retryAfterS = refused.get(last);
    if (last === opensWith && (knocked += 1) > 1) opensWith = undefined;
    if (opensWith !== undefined) {
      response.writeHead(403).end('{}');
    } else if (retryAfterS !== undefined) {
      refused.delete(last);
      response.writeHead(503, { 'retry-after': String(retryAfterS) }).end('{}');
    } else if (pathname.includes('/secrets/')) {
      asked.push(last);
      const secret = secrets.get(last);
      if (secret === undefined) waiting.push({ name: last, response });
      else response.end(JSON.stringify(secret));
    } else if (searchParams.has('watch')) {
      watches.set(last, response);
      response.flushHeaders();
    } else {
      response.end(JSON.stringify({ items: lists.get(last) ?? [], metadata: { resourceVersion: '1' } }));
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const config = new KubeConfig();
  const name = 'stand-in';
  config.loadFromOptions({
    clusters: [
      { name, server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, skipTLSVerify: true },
    ],
    users: [{ name }],
    contexts: [{ name, cluster: name, user: name }],
    currentContext: name,
  });
  return {
    config,
    asked,
    tell: (plural, event) => watches.get(plural)?.write(`${JSON.stringify(event)}\n`) !== undefined,
    give: (secret) => {
      secrets.set(secret.metadata.name, secret);
      for (const { name, response } of waiting) {
        if (name === secret.metadata.name) response.end(JSON.stringify(secret));
      }
    },
    refuse: (plural, retryAfterS) => refused.set(plural, retryAfterS),
    forbidUntil: (plural) => {
      opensWith = plural;
    },
    list: (plural, items) => lists.set(plural, items),
    cut: (plural) => {
      watches.get(plural)?.socket?.resetAndDestroy();
      watches.delete(plural);
    },
  };
}
