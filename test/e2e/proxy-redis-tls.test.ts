import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createSecureContext, createServer } from 'node:tls';

import { pino } from 'pino';

import { SecretText } from '../../src/api/secret-text.ts';
import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan, UpstreamTls } from '../../src/plan/routing-plan.ts';
import { Proxy } from '../../src/proxy/proxy.ts';
import { createAuthority, validFor, type KeyPair } from '../../src/tls/authority.ts';
import { needTlsRedis } from './environment.ts';
import { client, portsOf } from './proxy-setting.ts';
import { answerOf } from './sidecar.ts';
import { startTlsRedis } from './tls-redis.ts';
import { planTo } from '../proxy/servers.ts';

const NAME = 'redis.example.com';
const FAILOVER_WAIT_MS = 400;

function planWith(port: number, mode: 'cluster' | 'proxy', tls: UpstreamTls | undefined): RoutingPlan {
  const plan = planTo(port, { mode });
  const upstreams = [...plan.upstreams].map(([id, upstream]) => {
    assert.ok(upstream.mode !== 'unavailable');
    // A busy machine's handshakes take longer than a network's.
    return [id, { ...upstream, tls, connectTimeoutMs: 5_000 }] as const;
  });
  return { ...plan, upstreams: new Map(upstreams) };
}

interface Through {
  readonly proxy: Proxy;
  readonly answer: (name: string) => Promise<string>;
  /** What it logged. */
  readonly log: () => string;
}

/** From now on they are what this process takes for the system's: OpenSSL looks there when it is first asked. */
async function makeSystemTrust(t: TestContext, authorities: string): Promise<void> {
  const folder = await temporaryFolder('system');
  t.after(() => removeFolder(folder));
  await writeFile(join(folder, 'authorities.crt'), authorities);
  process.env['SSL_CERT_FILE'] = join(folder, 'authorities.crt');
  process.env['SSL_CERT_DIR'] = folder;
}

async function start(t: TestContext, plan: RoutingPlan): Promise<Through> {
  const lines: string[] = [];
  const proxy = await Proxy.create({
    hedgeAfterMs: 200,
    failoverWaitMs: FAILOVER_WAIT_MS,
    maxClients: 100,
    drainMs: 100,
    log: pino({ level: 'warn' }, { write: (line) => void lines.push(line) }),
  });
  t.after(() => proxy.close());
  await proxy.update(plan);
  const through = client(t, portsOf(proxy)[0] ?? 0);
  return {
    proxy,
    answer: async (name) => String(await answerOf(through.set('key', name))),
    log: () => lines.join(''),
  };
}

test('the proxy speaks TLS to Redis', async (t) => {
  const redis = await needTlsRedis(t);
  if (redis === undefined) return;
  const [ours, theirs] = [await createAuthority(validFor(2)), await createAuthority(validFor(2))];
  await makeSystemTrust(t, ours.certificate);
  const yesterday = {
    notBefore: new Date(Date.now() - 2 * 86_400_000),
    notAfter: new Date(Date.now() - 86_400_000),
  };
  const certified = async (authority = ours, name = NAME, validity = validFor(1)): Promise<KeyPair> =>
    await authority.issueServer([name], validity);
  const startServer = async (
    server: KeyPair,
    options: { readonly mutual?: boolean; readonly cluster?: boolean } = {},
  ): Promise<number> =>
    (await startTlsRedis(t, redis, { server, authorities: ours.certificate, ...options })).tlsPort;
  const trusting = (more: Partial<UpstreamTls> = {}): UpstreamTls => ({
    serverName: NAME,
    skipVerification: false,
    authorities: new SecretText(ours.certificate),
    certificate: undefined,
    ...more,
  });
  const presenting = async (authority: typeof ours): Promise<UpstreamTls> => {
    const { certificate, key } = await authority.issueClient('spiffe://a/ns/redis/sa/proxy', validFor(1));
    return trusting({ certificate: { chain: new SecretText(certificate), key: new SecretText(key) } });
  };
  const [right, mutual] = [
    await startServer(await certified()),
    await startServer(await certified(), { mutual: true }),
  ];
  const cluster = await startServer(await certified(), { cluster: true });
  const mutualCluster = await startServer(await certified(), { cluster: true, mutual: true });
  const { port: plain } = (
    await startTlsRedis(t, redis, { server: await certified(), authorities: ours.certificate })
  ).node;
  const foreign = await startServer(await certified(theirs, 'elsewhere.example.com', yesterday));

  const good: readonly (readonly [what: string, RoutingPlan])[] = [
    ['simple', planWith(right, 'proxy', trusting())],
    ['mutual', planWith(mutual, 'proxy', await presenting(ours))],
    ["an authority of the system's", planWith(right, 'proxy', trusting({ authorities: undefined }))],
    [
      "mutual, an authority of the system's",
      planWith(mutual, 'proxy', { ...(await presenting(ours)), authorities: undefined }),
    ],
    [
      "cluster, an authority of the system's",
      planWith(cluster, 'cluster', trusting({ authorities: undefined })),
    ],
    ['unverified', planWith(foreign, 'proxy', trusting({ skipVerification: true }))],
    [
      'by address',
      planWith(
        await startServer(await certified(ours, '127.0.0.1')),
        'proxy',
        trusting({ serverName: '127.0.0.1' }),
      ),
    ],
    ['discovered cluster', planWith(cluster, 'cluster', trusting())],
    ['discovered cluster, mutual', planWith(mutualCluster, 'cluster', await presenting(ours))],
  ];
  for (const [what, plan] of good) {
    await t.test(`${what}: commands are answered`, async (st) => {
      const { answer } = await start(st, plan);
      await eventually('an answer', async () => ((await answer(what)) === 'OK' ? true : undefined));
    });
  }

  const bad: readonly (readonly [what: string, RoutingPlan, reason: RegExp])[] = [
    [
      'signed by somebody else',
      planWith(await startServer(await certified(theirs)), 'proxy', trusting()),
      /UNABLE_TO_VERIFY|SELF_SIGNED/,
    ],
    [
      "by none of the system's",
      planWith(await startServer(await certified(theirs)), 'proxy', trusting({ authorities: undefined })),
      /UNABLE_TO_VERIFY|SELF_SIGNED/,
    ],
    [
      'for another name',
      planWith(await startServer(await certified(ours, 'elsewhere.example.com')), 'proxy', trusting()),
      /ALTNAME/i,
    ],
    [
      'expired',
      planWith(await startServer(await certified(ours, NAME, yesterday)), 'proxy', trusting()),
      /EXPIRED/i,
    ],
    [
      'without our certificate',
      planWith(mutual, 'proxy', trusting()),
      /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/i,
    ],
    [
      'a certificate that Redis does not know',
      planWith(mutual, 'proxy', await presenting(theirs)),
      /UNKNOWN_CA: it does not know/,
    ],
    ['plaintext to a TLS port', planWith(right, 'proxy', undefined), /it speaks TLS; write/],
    ['TLS to a port without', planWith(plain, 'proxy', trusting()), /it speaks no TLS; give the port/],
    [
      'cluster, for another name',
      planWith(cluster, 'cluster', trusting({ serverName: 'other.example.com' })),
      /other\.example\.com/,
    ],
    [
      'cluster, without our certificate',
      planWith(mutualCluster, 'cluster', trusting()),
      /CERTIFICATE_REQUIRED.*; write mode: MUTUAL/,
    ],
  ];
  for (const [what, plan, reason] of bad) {
    await t.test(`${what}: nothing gets through, and the reason is told`, async (st) => {
      const { proxy, answer, log } = await start(st, plan);
      assert.match(await answer(what), /upstream failure|no upstream host/);
      const told = (): string => `${proxy.status()[0]?.nodes[0]?.state ?? ''} ${log()}`;
      await eventually('the reason', () => (reason.test(told()) ? true : undefined), { seen: told });
    });
  }

  await t.test('the name is sent, so that a server can choose its certificate by it', async (st) => {
    const { node } = await startTlsRedis(st, redis, {
      server: await certified(),
      authorities: ours.certificate,
    });
    const pair = await certified();
    const other = await certified(theirs, 'default.example.com');
    const asked: string[] = [];
    const front = createServer(
      {
        cert: other.certificate,
        key: other.key,
        SNICallback: (name, done) => {
          asked.push(name);
          done(null, createSecureContext({ cert: pair.certificate, key: pair.key }));
        },
      },
      (socket) => {
        const behind = connect(node.port, '127.0.0.1');
        socket.pipe(behind).pipe(socket);
        for (const end of [socket, behind]) end.on('error', () => socket.destroy());
        st.after(() => socket.destroy());
      },
    );
    await new Promise<void>((resolve) => {
      front.listen(0, '127.0.0.1', () => resolve());
    });
    st.after(() => front.close());
    const { answer } = await start(st, planWith((front.address() as AddressInfo).port, 'proxy', trusting()));
    await eventually('an answer', async () => ((await answer('by name')) === 'OK' ? true : undefined));
    assert.deepEqual(new Set(asked), new Set([NAME]));
  });
});
