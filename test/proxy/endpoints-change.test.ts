/**
 * Plain servers that a plan lists one by one, as pods are listed: others come in their place, under the same upstream.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SecretText } from '../../src/api/secret-text.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { ProxyServers, RoutingPlan } from '../../src/plan/routing-plan.ts';
import { maglevHost, maglevTable } from '../../src/redis/maglev.ts';
import { clientOf, planTo, proxyFor, serverThat, type Server } from './servers.ts';
import { planToServers } from './several-servers.ts';

const LATE = { deadlineMs: 20_000 };
const PATIENT = { failoverWaitMs: 60_000 };

/** Each by its name, wherever it is. */
function listed(servers: Readonly<Record<string, Pick<Server, 'port'>>>): ProxyServers {
  const endpoints = Object.entries(servers).map(([hashKey, { port }]) => ({
    address: '127.0.0.1',
    port,
    hashKey,
  }));
  return { kind: 'endpoints', endpoints };
}

function readingFrom(servers: ProxyServers): RoutingPlan {
  const plan = planTo(1, { reads: { address: '127.0.0.1', port: 1 }, readPolicy: 'REPLICA' });
  const upstreams = Array.from(plan.upstreams, ([id, upstream]) => {
    return [id, upstream.mode === 'reads' ? { ...upstream, groups: [[servers]] } : upstream] as const;
  });
  return { ...plan, upstreams: new Map(upstreams) };
}

/** Nobody listens there. */
const GONE = { port: 1 };

for (const [what, before] of [
  ['a server that is gone', listed({ 'redis-0': GONE })],
  ['some server, while there is none', listed({})],
] as const) {
  test(`what waits for ${what} is carried out by the one that takes its place`, async (t) => {
    const server = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : ':1\r\n'));
    const { proxy, port } = await proxyFor(t, planToServers(before), PATIENT);
    const commands = ['INCR a', 'GET a', 'BLPOP a 0', 'TIME'];
    const clients = commands.map((command) => {
      const client = clientOf(t, port);
      client.socket.write(`${command}\r\n`);
      return client;
    });
    await eventually('their being held', () => proxy.status()[0]!.events['held']! > 1 || undefined);
    await proxy.update(planToServers(listed({ 'redis-0': server })));
    const missing = (): string => commands.filter((_, index) => clients[index]!.got() === '').join(', ');
    await eventually('the replies', () => missing() === '' || undefined, { ...LATE, seen: missing });
    for (const client of clients) assert.equal(client.got(), ':1\r\n');
    for (const command of commands)
      assert.equal(server.asked.filter((words) => words === command).length, 1, command);
  });
}

test('a read that waits for a replica is answered by the one that comes', async (t) => {
  const server = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : ':1\r\n'));
  const { proxy, port } = await proxyFor(t, readingFrom(listed({ 'replica-0': GONE })), PATIENT);
  const client = clientOf(t, port);
  client.socket.write('GET a\r\n');
  const held = (): number => proxy.status().reduce((sum, { events }) => sum + (events['held'] ?? 0), 0);
  await eventually('its being held', () => held() > 0 || undefined);
  await proxy.update(readingFrom(listed({ 'replica-0': server })));
  await eventually('the reply', () => client.got() !== '' || undefined, LATE);
  assert.equal(client.got(), ':1\r\n');
});

test('the connection to a server that stays is used on, also where it has another name', async (t) => {
  const connections = new Set<object>();
  const stays = await serverThat(t, (words, socket) => {
    if (words.startsWith('INCR')) connections.add(socket);
    return words === 'PING' ? '+PONG\r\n' : ':1\r\n';
  });
  const { proxy, port } = await proxyFor(t, planToServers(listed({ one: stays })));
  const client = clientOf(t, port);
  const plans = [{ one: stays }, { another: stays }].map((servers) => planToServers(listed(servers)));
  for (const [index, plan] of [...plans, ...plans].entries()) {
    await proxy.update(plan);
    client.socket.write('INCR a\r\n');
    await eventually('the reply', () => client.got() === ':1\r\n'.repeat(index + 1) || undefined);
  }
  assert.equal(connections.size, 1);
});

test('a server that is listed twice is one, and left once it is listed no more', async (t) => {
  const [twice, other] = [await serverThat(t, () => '+PONG\r\n'), await serverThat(t, () => '+PONG\r\n')];
  const [first, second] = [{ 'redis-0': twice }, { 'redis-1': twice }].map(listed);
  const [endpoint] = first?.kind === 'endpoints' ? first.endpoints : [];
  for (const again of [endpoint!, second?.kind === 'endpoints' ? second.endpoints[0]! : endpoint!]) {
    const servers: ProxyServers = { kind: 'endpoints', endpoints: [endpoint!, again] };
    const { proxy } = await proxyFor(t, planToServers(servers));
    await eventually('its being asked', () => twice.sockets.size > 0 || undefined);
    assert.equal(proxy.status()[0]?.nodes.length, 1);
    await proxy.update(planToServers(listed({ 'redis-0': other })));
    await eventually('its being left', () => twice.sockets.size === 0 || undefined);
  }
});

/** Of two servers it is at that one. */
function keyOf(server: 'one' | 'two'): string | undefined {
  const table = maglevTable(['one', 'two'].map((text) => ({ text, weight: 1 })));
  const keys = Array.from({ length: 100 }, (_, number) => `key:${number}`);
  return keys.find((each) => maglevHost(table, Buffer.from(each), false) === Number(server === 'two'));
}

test('servers that stay are told the password of the next plan', async (t) => {
  const redis = await serverThat(t, () => '+OK\r\n');
  const withPassword = (password: string): RoutingPlan => {
    const upstreamPassword = new SecretText(password);
    const { upstreams, ...plan } = planTo(redis.port, { upstreamPassword });
    const withServers = Array.from(upstreams, ([id, upstream]) => {
      return [
        id,
        upstream.mode === 'proxy' ? { ...upstream, servers: listed({ redis }) } : upstream,
      ] as const;
    });
    return { ...plan, upstreams: new Map(withServers) };
  };
  const { proxy, port } = await proxyFor(t, withPassword('first'));
  const client = clientOf(t, port);
  for (const password of ['first', 'second']) {
    await proxy.update(withPassword(password));
    client.socket.write(`SET ${password} 1\r\n`);
    await eventually('the command', () => redis.asked.includes(`SET ${password} 1`) || undefined);
    assert.ok(redis.asked.some((words) => words.startsWith('AUTH') && words.endsWith(password)));
  }
});

test('what has no key is asked of all servers that can be asked, and of no other', async (t) => {
  const answer = (words: string): string => (words === 'PING' ? '+PONG\r\n' : ':1\r\n');
  const [one, two] = [await serverThat(t, answer), await serverThat(t, answer)];
  const { proxy, port } = await proxyFor(t, planToServers(listed({ one, two })), PATIENT);
  const client = clientOf(t, port);
  client.socket.write('TIME\r\n'.repeat(50));
  // One that is still under way goes elsewhere with the plan, and there nobody knows yet who is gone.
  await eventually('the first replies', () => client.got() === ':1\r\n'.repeat(50) || undefined, LATE);
  assert.ok([one, two].every(({ asked }) => asked.includes('TIME')));
  await proxy.update(planToServers(listed({ one, 'redis-0': GONE })));
  const isSeen = (): boolean => proxy.status()[0]?.nodes[1]?.isUp === false;
  await eventually('one that is gone', () => isSeen() || undefined);
  client.socket.write('TIME\r\n'.repeat(50));
  await eventually('all replies', () => client.got() === ':1\r\n'.repeat(100) || undefined, LATE);
});

test('keys go to the server that has its name by then', async (t) => {
  const [one, two] = [await serverThat(t, () => '+OK\r\n'), await serverThat(t, () => '+OK\r\n')];
  const key = keyOf('two');
  const { proxy, port } = await proxyFor(t, planToServers(listed({ one, two })));
  const client = clientOf(t, port);
  for (const [servers, at] of [
    [{ one, two }, two],
    [{ one: two, two: one }, one],
    [{ two, one }, two],
  ] as const) {
    await proxy.update(planToServers(listed(servers)));
    const before = at.asked.length;
    client.socket.write(`SET ${key} 1\r\n`);
    await eventually('the command', () => at.asked.lastIndexOf(`SET ${key} 1`) >= before || undefined);
  }
});

test('what a replica has said of its primary counts no more once it is listed no more', async (t) => {
  const says = (role: string, id: string) => (words: string) => {
    const info = `role:${role}\r\nmaster_replid:${id}\r\nmaster_link_status:up\r\n`;
    return words.startsWith('INFO') ? `$${info.length}\r\n${info}\r\n` : '+PONG\r\n';
  };
  const other = await serverThat(t, says('master', 'a'));
  const replica = await serverThat(t, says('slave', 'b'));
  const { proxy } = await proxyFor(t, readingFrom(listed({ other, replica })));
  const states = (): string =>
    proxy
      .status()
      .filter(({ id }) => id.startsWith('reads'))
      .flatMap(({ nodes }) => nodes.map(({ address, state }) => `${address.split(':')[1]}: ${state}`))
      .join();
  const become = (wanted: RegExp): Promise<unknown> =>
    eventually(String(wanted), () => wanted.test(states()) || undefined, { ...LATE, seen: states });
  await become(new RegExp(`${other.port}: .*the others do not follow`));
  await proxy.update(readingFrom(listed({ other })));
  await become(new RegExp(`^${other.port}: fit$`));
});

test('a server that comes holds up nothing that is asked of another one whose keys stay', async (t) => {
  const answer = (words: string): string | undefined => (words === 'PING' ? '+PONG\r\n' : undefined);
  const [one, two] = [await serverThat(t, answer), await serverThat(t, answer)];
  const key = keyOf('one');
  // It is slow, not silent.
  const plan = planToServers(listed({ one }));
  const { proxy, port } = await proxyFor(t, plan, { hedgeAfterMs: 60_000 });
  const client = clientOf(t, port);
  client.socket.write(`SET ${key} 1\r\n`);
  await eventually('the first', () => one.asked.includes(`SET ${key} 1`) || undefined);
  await proxy.update({ ...plan, upstreams: planToServers(listed({ one, two })).upstreams });
  client.socket.write(`SET ${key} 2\r\n`);
  // Before the first one's time is up.
  await eventually('the second', () => one.asked.includes(`SET ${key} 2`) || undefined, {
    seen: () => client.got(),
  });
  assert.equal(client.got(), '');
});

test('a transaction whose key has another server by then is told so', async (t) => {
  const queued = (words: string): string => (words.startsWith('SET') ? '+QUEUED\r\n' : '+OK\r\n');
  const [one, two] = [await serverThat(t, queued), await serverThat(t, queued)];
  const key = keyOf('two');
  const { proxy, port } = await proxyFor(t, planToServers(listed({ one })));
  const client = clientOf(t, port);
  client.socket.write(`MULTI\r\nSET ${key} 1\r\n`);
  await eventually('its begin', () => client.got().endsWith('QUEUED\r\n') || undefined);
  await proxy.update(planToServers(listed({ one, two })));
  client.socket.write(`SET ${key} 2\r\nEXEC\r\n`);
  await eventually('its end', () => client.got().split('\r\n').length > 4 || undefined);
  assert.match(client.got(), /QUEUED\r\n-TRYAGAIN .*moved.*\r\n-EXECABORT/);
});
