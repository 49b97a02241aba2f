/**
 * Servers that speak TLS to a proxy that does not, and the other way around.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';

import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan, UpstreamTls } from '../../src/plan/routing-plan.ts';
import { createAuthority } from '../../src/tls/authority.ts';
import { validForSeconds } from '../tls/certificates.ts';
import { clientOf, proxyFor, planTo } from './servers.ts';

const UNVERIFIED: UpstreamTls = {
  serverName: 'redis',
  skipVerification: true,
  authorities: undefined,
  certificate: undefined,
};

function planWith(
  port: number,
  mode: 'cluster' | 'proxy',
  tls?: UpstreamTls,
  connectTimeoutMs = 500,
): RoutingPlan {
  const plan = planTo(port, { mode });
  const upstreams = Array.from(
    plan.upstreams,
    ([id, each]) => [id, { ...each, tls, connectTimeoutMs } as typeof each] as const,
  );
  return { ...plan, upstreams: new Map(upstreams) };
}

async function tlsServer(t: TestContext): Promise<number> {
  const authority = await createAuthority(validForSeconds(3_600));
  const { certificate, key } = await authority.issueServer(['redis'], validForSeconds(3_600));
  const server = createTlsServer({ cert: certificate, key });
  // As Redis: it hangs up on who does not shake hands.
  server.on('tlsClientError', (_, socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** It takes what comes of a handshake for a command that is not complete yet. */
async function plainServer(t: TestContext, pong = '+PONG\r\n'): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      if (bytes.toString('latin1').startsWith('PING')) socket.write(pong);
    });
    t.after(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function silentServer(t: TestContext): Promise<number> {
  return await plainServer(t, '');
}

for (const mode of ['proxy', 'cluster'] as const) {
  for (const [what, start, tls, wanted] of [
    ['speaks TLS, and is not asked for it', tlsServer, undefined, /it speaks TLS; write trafficPolicy\.tls/],
    ['is asked for TLS, and speaks none', plainServer, UNVERIFIED, /it speaks no TLS; give the port/],
    [
      'is asked for TLS, and says nothing',
      silentServer,
      UNVERIFIED,
      /says nothing, with TLS or without; look/,
    ],
  ] as const) {
    test(`that a server ${what} is told in one line, mode ${mode}`, async (t) => {
      const { lines, proxy } = await proxyFor(t, planWith(await start(t), mode, tls));
      const warnings = (): readonly string[] => lines.filter((line) => wanted.test(line));
      await eventually('a warning', () => warnings().length > 0 || undefined, {
        deadlineMs: 30_000,
        seen: () => lines.join(''),
      });
      assert.match(JSON.stringify(proxy.status()), wanted);
      assert.equal(warnings().length, 1);
    });
  }
}

test('that a server speaks no TLS is told long before a connection is given up', async (t) => {
  const plan = planWith(await plainServer(t), 'proxy', UNVERIFIED, 300_000);
  const { proxy, port } = await proxyFor(t, plan, { hedgeAfterMs: 200 });
  clientOf(t, port).socket.write('GET key\r\n');
  const state = (): string => proxy.status()[0]?.nodes[0]?.state ?? '';
  await eventually('the reason', () => state().startsWith('it speaks no TLS; give the port') || undefined, {
    seen: state,
  });
});

test('a server that has answered once is not asked whether it speaks something else', async (t) => {
  let hangsUp = false;
  const first: number[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      if (!hangsUp) return void socket.write('+PONG\r\n');
      first.push(bytes[0] ?? 0);
      socket.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { proxy, port } = await proxyFor(t, planWith((server.address() as AddressInfo).port, 'proxy'));
  const state = (): string => proxy.status()[0]?.nodes[0]?.state ?? '';
  await eventually('its answer', () => state() === 'fit' || undefined, { seen: state });
  hangsUp = true;
  for (const socket of sockets) socket.destroy();
  clientOf(t, port).socket.write('GET key\r\n');
  await eventually('many tries', () => first.length > 10 || undefined, { deadlineMs: 30_000 });
  // `*`, a command; a handshake would begin with 0x16.
  assert.deepEqual(new Set(first), new Set([0x2a]));
});
