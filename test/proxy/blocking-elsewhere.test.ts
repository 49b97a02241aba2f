import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server as Listener, type Socket } from 'node:net';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { maglevHost, maglevTable } from '../../src/redis/maglev.ts';
import { clientOf, planTo, proxyFor, serverThat, withOpTimeout, type Server } from './servers.ts';
import { planToServers, resolveTo } from './several-servers.ts';

const [FORMER, LATER] = ['127.0.0.41', '127.0.0.42'];

test('nobody goes on waiting at a plain server whose keys are those of another by now', async (t) => {
  const WAITS = /^(BLPOP|XREAD)/;
  const answer = (words: string): string | undefined => (WAITS.test(words) ? undefined : '+PONG\r\n');
  const former = await serverThat(t, answer, { host: FORMER, port: 0 });
  const { port } = former;
  const nothing = (words: string): string => (WAITS.test(words) ? '*-1\r\n' : '+PONG\r\n');
  const later = await serverThat(t, nothing, { host: LATER, port });
  const names = resolveTo(t, FORMER);
  const table = maglevTable([FORMER, LATER].map((address) => ({ text: `${address}:${port}`, weight: 1 })));
  const keyAt = (host: string): string => {
    for (let number = 0; ; number++) {
      const key = `key:${number}`;
      if ([FORMER, LATER][maglevHost(table, Buffer.from(key), false)] === host) return key;
    }
  };
  const [stays, moves] = [keyAt(FORMER), keyAt(LATER)];
  const { port: through, proxy } = await proxyFor(t, planToServers({ kind: 'dns', name: 'servers', port }), {
    drainMs: 100,
  });
  await eventually('its servers', () => proxy.notReady() === undefined || undefined);
  const [popper, reader, undisturbed] = [clientOf(t, through), clientOf(t, through), clientOf(t, through)];
  popper.socket.write(`BLPOP ${moves} 0\r\n`);
  reader.socket.write(`XREAD BLOCK 0 STREAMS ${moves} $\r\n`);
  undisturbed.socket.write(`BLPOP ${stays} 0\r\n`);
  const waiting = (asked: readonly string[]): readonly string[] => asked.filter((words) => WAITS.test(words));
  await eventually('all of them', () => waiting(former.asked).length === 3 || undefined);
  names.addresses = [FORMER, LATER];
  await eventually('both replies', () => (popper.got() !== '' && reader.got() !== '') || undefined);
  assert.deepEqual([popper.got(), reader.got(), undisturbed.got()], ['*-1\r\n', '*-1\r\n', '']);
  assert.deepEqual(waiting(later.asked).toSorted(), [`BLPOP ${moves} 0`, `XREAD BLOCK 0 STREAMS ${moves} $`]);
});

const WAITS = /^BLPOP/;
const silentPop = (words: string): string | undefined => (WAITS.test(words) ? undefined : '+PONG\r\n');
const waiting = ({ asked }: Server): readonly string[] => asked.filter((words) => WAITS.test(words));
const endpoint = ({ port }: Pick<Server, 'port'>) => ({
  address: '127.0.0.1',
  port,
  hashKey: `server-${port}`,
});
const planWith = (...servers: Pick<Server, 'port'>[]): RoutingPlan =>
  planToServers({ kind: 'endpoints', endpoints: servers.map(endpoint) });

test('nobody goes on waiting where the plan has its key no longer; who waits at the same server is not disturbed', async (t) => {
  const [former, later] = [await serverThat(t, silentPop), await serverThat(t, silentPop)];
  const { port, proxy } = await proxyFor(t, planWith(former), { drainMs: 100 });
  const table = maglevTable([former, later].map((each) => ({ text: endpoint(each).hashKey, weight: 1 })));
  const keys = Array.from({ length: 50 }, (_, number) => `key:${number}`);
  const [stays = '', moves = ''] = [0, 1].map((host) =>
    keys.find((key) => maglevHost(table, Buffer.from(key), false) === host),
  );
  const clients = [stays, moves].map((key) => {
    const client = clientOf(t, port);
    client.socket.write(`BLPOP ${key} 0\r\n`);
    return client;
  });
  await eventually('both waiting', () => waiting(former).length === 2 || undefined);
  await proxy.update(planWith(former, later));
  await eventually('one at its new server', () => waiting(later).length > 0 || undefined);
  assert.deepEqual([waiting(former).length, waiting(later)], [2, [`BLPOP ${moves} 0`]]);
  assert.deepEqual(
    clients.map((client) => client.got()),
    ['', ''],
  );
});

test('who could not be asked by the former plan, and is there again, is not waited at', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  taken.close();
  const later = await serverThat(t, silentPop);
  const { port: through, proxy } = await proxyFor(t, planWith({ port }), {
    failoverWaitMs: 30_000,
    drainMs: 100,
  });
  const client = clientOf(t, through);
  client.socket.write('BLPOP q 0\r\n');
  await eventually(
    'its being known that nobody is there',
    () => proxy.status()[0]?.nodes[0]?.isUp === false || undefined,
  );
  await proxy.update(planWith(later));
  await serverThat(t, silentPop, { host: '127.0.0.1', port });
  await eventually('its waiting at the other one', () => waiting(later).length > 0 || undefined);
});

test('a read that waits at a server for reads stays there, though the next one would go to another', async (t) => {
  const said = 'role:slave\r\nmaster_link_status:up\r\n';
  const silent = async (host: string, port: number): Promise<Awaited<ReturnType<typeof serverThat>>> =>
    await serverThat(
      t,
      (words) => {
        if (/^(XREAD|GET)/.test(words)) return undefined;
        return words.startsWith('INFO') ? `$${said.length}\r\n${said}\r\n` : '+PONG\r\n';
      },
      { host, port },
    );
  const one = await silent(FORMER, 0);
  const other = await silent(LATER, one.port);
  resolveTo(t, FORMER, LATER);
  const reads = { address: 'replicas', port: one.port };
  const { port, proxy } = await proxyFor(
    t,
    withOpTimeout(planTo(one.port, { reads, readPolicy: 'REPLICA' }), 1_000),
  );
  const nodes = () => proxy.status().flatMap((upstream) => upstream.nodes);
  await eventually('both', () => nodes().filter(({ isUp }) => isUp).length >= 2 || undefined);
  const client = clientOf(t, port);
  client.socket.write('XREAD BLOCK 0 STREAMS s $\r\n');
  const reading = () => [...one.asked, ...other.asked].filter((words) => words.startsWith('XREAD'));
  await eventually('it', () => reading().length > 0 || undefined);
  // Who has been too long under way is looked for as often as who is at the wrong server.
  const late = clientOf(t, port);
  late.socket.write('GET s\r\n');
  await eventually('that it is too late', () => late.got() !== '' || undefined);
  assert.equal(reading().length, 1);
});

test('a pop that cannot be sent, since its server takes no connections, is tried again', async (t) => {
  const sockets = new Set<Socket>();
  const listen = async (port: number): Promise<Listener> => {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('data', (chunk) => socket.write(chunk.includes('BLPOP') ? '*-1\r\n' : '+PONG\r\n'));
    });
    await new Promise<void>((resolve) => {
      server.listen(port, '127.0.0.1', () => resolve());
    });
    t.after(() => server.close());
    return server;
  };
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const server = await listen(0);
  const { port } = server.address() as AddressInfo;
  const { port: through, proxy } = await proxyFor(t, planTo(port), { failoverWaitMs: 30_000 });
  await eventually('its server', () => proxy.status()[0]?.nodes[0]?.isUp || undefined);
  // What is connected stays so: nothing tells of it.
  server.close();
  const [client, other] = [clientOf(t, through), clientOf(t, through)];
  client.socket.write('BLPOP q 0\r\n');
  for (let asked = 1; asked <= 20; asked++) {
    other.socket.write('CLIENT ID\r\n');
    await eventually('time to try', () => other.got().split('\n').length > asked || undefined);
  }
  await listen(port);
  await eventually('the reply', () => client.got() !== '' || undefined);
  assert.equal(client.got(), '*-1\r\n');
});
