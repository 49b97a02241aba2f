/**
 * Plain servers that want another password than the proxy has, or none.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { SecretText } from '../../src/api/secret-text.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { HALVES, clusterThat } from './scripted-cluster.ts';
import { array, clientOf, planTo, proxyFor, serverThat, type Server } from './servers.ts';

const REFUSED = '-WRONGPASS invalid username-password pair or user is disabled.\r\n';
const PASSWORD = 'sesame';

function planWithPassword({ port }: Server, reads?: Server, password = PASSWORD): RoutingPlan {
  return planTo(port, {
    ...(reads === undefined ? {} : { reads: { address: '127.0.0.1', port: reads.port } }),
    readPolicy: reads === undefined ? 'MASTER' : 'REPLICA',
    upstreamPassword: new SecretText(password),
  });
}

/** A Redis with a password that can be changed; connections that were let in stay so. */
async function redis(t: TestContext, wanted: { password: string | undefined }): Promise<Server> {
  const letIn = new WeakSet<object>();
  return await serverThat(t, (words, socket) => {
    const [name, ...args] = words.split(' ');
    if (name === 'AUTH') {
      if (wanted.password === undefined)
        return '-ERR AUTH <password> called without any password configured for the default user.\r\n';
      if (args.at(-1) !== wanted.password) return REFUSED;
      letIn.add(socket);
      return '+OK\r\n';
    }
    if (wanted.password !== undefined && !letIn.has(socket)) return '-NOAUTH Authentication required.\r\n';
    return name === 'PING' ? '+PONG\r\n' : '$-1\r\n';
  });
}

/** What a Redis says with `rename-command AUTH ""`. */
function withoutAuth(words: string): string {
  const [name, ...args] = words.split(' ');
  const quoted = args.map((arg) => `'${arg}' `).join('');
  return `-ERR unknown command '${name}', with args beginning with: ${quoted}\r\n`;
}

function cutAll({ sockets }: Server): void {
  for (const socket of sockets) socket.destroy();
}

async function ready(proxy: Proxy): Promise<void> {
  await eventually('ready', () => (proxy.notReady() === undefined ? true : undefined), {
    deadlineMs: 30_000,
    seen: () => proxy.notReady() ?? '',
  });
}

async function refused(proxy: Proxy): Promise<string> {
  return await eventually('refused', () => /lets the proxy in.*/.exec(proxy.notReady() ?? '')?.[0], {
    deadlineMs: 30_000,
    seen: () => proxy.notReady() ?? '',
  });
}

test('a wrong password: not ready, a warning without it, and ready again when the server takes it', async (t) => {
  const wanted = { password: 'another' };
  const { proxy, lines } = await proxyFor(t, planWithPassword(await redis(t, wanted)));
  assert.match(await refused(proxy), /^lets the proxy in \(WRONGPASS /);
  const warnings = (): readonly string[] => lines.filter((line) => line.includes('does not let'));
  await eventually('a warning', () => (warnings().length > 0 ? true : undefined), { deadlineMs: 30_000 });
  const { isUp, state = '' } = proxy.status()[0]?.nodes[0] ?? {};
  assert.match(state, /^does not let the proxy in: WRONGPASS/);
  assert.equal(isUp, false);
  wanted.password = PASSWORD;
  await ready(proxy);
  await eventually('the end of it', () => lines.some((line) => line.includes('in again')) || undefined, {
    deadlineMs: 30_000,
  });
  assert.equal(warnings().length, 1);
  assert.ok(!lines.join('').includes(PASSWORD));
});

test('a server without AUTH, which quotes what it was given, is ready, and nobody is told the password', async (t) => {
  const server = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : withoutAuth(words)));
  const { proxy, lines } = await proxyFor(t, planWithPassword(server));
  await ready(proxy);
  await eventually('a look at the login', () => server.asked.includes(`AUTH ${PASSWORD}`) || undefined);
  assert.ok(!`${lines.join('')}${JSON.stringify(proxy.status())}`.includes(PASSWORD));
});

test('a subscriber at a server without AUTH is told what it has asked for, and not the password', async (t) => {
  const confirmed = array('subscribe', 'c', ':1');
  const server = await serverThat(t, (words) => {
    if (words.startsWith('AUTH')) return withoutAuth(words);
    return words === 'subscribe c' ? confirmed : '+PONG\r\n';
  });
  const { port } = await proxyFor(t, planWithPassword(server));
  const client = clientOf(t, port);
  client.socket.write('SUBSCRIBE c\r\n');
  await eventually('an answer', () => client.got() !== '' || undefined);
  assert.equal(client.got(), confirmed);
});

test('a password that is changed while connections are open is seen at the next one', async (t) => {
  const wanted = { password: PASSWORD };
  const server = await redis(t, wanted);
  const { proxy, port } = await proxyFor(t, planWithPassword(server));
  await ready(proxy);
  wanted.password = 'another';
  const client = clientOf(t, port);
  client.socket.write('GET a\r\n');
  await refused(proxy);
  await eventually('the reply', () => client.got() !== '' || undefined, { deadlineMs: 30_000 });
  assert.match(client.got(), /^-NOAUTH/);
});

test('a server that comes back with another password is seen without a client', async (t) => {
  const wanted = { password: PASSWORD };
  const server = await redis(t, wanted);
  const { proxy, port } = await proxyFor(t, planWithPassword(server));
  const client = clientOf(t, port);
  client.socket.write('GET a\r\n');
  await eventually('the reply', () => client.got() === '$-1\r\n' || undefined, { deadlineMs: 30_000 });
  wanted.password = 'another';
  cutAll(server);
  await refused(proxy);
  client.socket.write('GET a\r\n');
  await eventually('what it says', () => client.got().includes('-NOAUTH') || undefined, {
    deadlineMs: 30_000,
  });
  wanted.password = PASSWORD;
  cutAll(server);
  await ready(proxy);
});

test('a server that does not answer at first is asked again whether it lets the proxy in', async (t) => {
  let isAsked = false;
  const server = await serverThat(t, (words) => {
    if (isAsked) return words.startsWith('AUTH') ? REFUSED : '-NOAUTH Authentication required.\r\n';
    isAsked = true;
    return undefined;
  });
  const { proxy } = await proxyFor(t, planWithPassword(server));
  await refused(proxy);
});

function clusterPlanTo({ port }: Server): RoutingPlan {
  return planTo(port, { mode: 'cluster', upstreamPassword: new SecretText(PASSWORD) });
}

test('that a server lets the proxy in is told where another plan has brought its password', async (t) => {
  const server = await redis(t, { password: 'another' });
  const plan = planWithPassword(server);
  const { proxy, lines } = await proxyFor(t, plan);
  const said = (words: string): Promise<true> =>
    eventually(words, () => lines.some((line) => line.includes(words)) || undefined, {
      deadlineMs: 30_000,
      seen: () => lines.join('\n'),
    });
  await said('does not let the proxy in');
  const { upstreams } = planWithPassword(server, undefined, 'another');
  await proxy.update({ ...plan, upstreams });
  await said('lets the proxy in again');
  await ready(proxy);
});

/** One node that has all slots. */
async function cluster(t: TestContext, wanted: { password: string }): Promise<Server> {
  const letIn = new WeakSet<object>();
  const server: Server = await serverThat(t, (words, socket) => {
    const [name] = words.split(' ');
    if (name === 'AUTH') {
      if (words !== `AUTH ${wanted.password}`) return REFUSED;
      letIn.add(socket);
      return '+OK\r\n';
    }
    if (!letIn.has(socket)) return '-NOAUTH Authentication required.\r\n';
    if (name === 'CLUSTER' && words.endsWith('SLOTS')) {
      return `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:${server.port}\r\n`;
    }
    if (name === 'CLUSTER') return '$16\r\ncluster_state:ok\r\n';
    if (name === 'INFO') return '$11\r\nrole:master\r\n';
    return name === 'PING' ? '+PONG\r\n' : '$-1\r\n';
  });
  return server;
}

test('a node of a cluster that comes back with another password is seen without a client', async (t) => {
  const wanted = { password: PASSWORD };
  const server = await cluster(t, wanted);
  const { proxy, port } = await proxyFor(t, clusterPlanTo(server));
  await ready(proxy);
  wanted.password = 'another';
  cutAll(server);
  assert.match(await refused(proxy), /^lets the proxy in \(WRONGPASS /);
  const client = clientOf(t, port);
  client.socket.write('GET a\r\n');
  await eventually('what it says', () => client.got().includes('-NOAUTH') || undefined, {
    deadlineMs: 30_000,
  });
  wanted.password = PASSWORD;
  cutAll(server);
  await ready(proxy);
});

test('a node of a cluster that refuses new connections does not count as one that lets in', async (t) => {
  const wanted = { password: PASSWORD };
  const server = await cluster(t, wanted);
  const { proxy, port } = await proxyFor(t, clusterPlanTo(server));
  await ready(proxy);
  // The connections that ask it how it is stay.
  wanted.password = 'another';
  const client = clientOf(t, port);
  client.socket.write('GET a\r\n');
  await eventually('what it says', () => client.got().includes('-NOAUTH') || undefined, {
    deadlineMs: 30_000,
  });
  await refused(proxy);
  const tries = (): number => server.asked.filter((words) => words.startsWith('AUTH')).length;
  const before = tries();
  await eventually('another try', () => tries() > before + 1 || undefined, { deadlineMs: 30_000 });
  assert.notEqual(proxy.notReady(), undefined);
});

test('a server that wants no password has everybody, and nobody writes past the log', async (t) => {
  const warn = t.mock.method(console, 'warn', () => {});
  const { proxy, lines } = await proxyFor(t, planWithPassword(await redis(t, { password: undefined })));
  await ready(proxy);
  assert.deepEqual(
    lines.filter((line) => line.includes('does not let')),
    [],
  );
  assert.equal(warn.mock.callCount(), 0);
});

test('servers for reads that refuse the password keep it from being ready', async (t) => {
  const primary = await redis(t, { password: PASSWORD });
  const { proxy } = await proxyFor(t, planWithPassword(primary, await redis(t, { password: 'another' })));
  assert.match(await refused(proxy), /^lets the proxy in/);
});

test('a refusal that comes and goes is a warning a minute at most', async () => {
  const { LoginLog } = await import('../../src/proxy/topology/login-log.ts');
  const lines: string[] = [];
  const note = (line: string): void => void lines.push(line);
  const log = new LoginLog('127.0.0.1:6379', { info: note, warn: note });
  for (let second = 0; second < 90; second++)
    log.tell(second % 2 === 0 ? 'NOAUTH' : undefined, second * 1_000);
  assert.equal(lines.filter((line) => line.includes('does not let')).length, 2);
});

test('a node of a Redis Cluster that does not let the proxy in, as others do, is told once, and that it does again', async (t) => {
  let isLetIn = false;
  const cluster = await clusterThat(t, 2, (_, node) =>
    node === 1 && !isLetIn ? '-NOAUTH Authentication required.\r\n' : undefined,
  );
  cluster.slots = HALVES;
  const { lines } = await proxyFor(t, cluster.plan());
  const told = (words: string): number =>
    lines.filter((line) => line.includes(`${cluster.addressOf(1)} ${words}`)).length;
  await eventually('a warning', () => told('does not let the proxy in (NOAUTH ') > 0 || undefined);
  isLetIn = true;
  await eventually('its end', () => told('lets the proxy in again') > 0 || undefined);
  assert.equal(told(''), 2);
});
