import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat, type Server } from '../servers.ts';

test('what a replica refuses to be told is not sent to a primary instead', async (t) => {
  const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
  const place = ({ port }: Server, id: string): string =>
    `*3\r\n${bulk('127.0.0.1')}:${port}\r\n${bulk(id.repeat(40))}`;
  const servers: Server[] = [];
  const answerAs =
    (role: 'master' | 'slave') =>
    (words: string): string => {
      const [primary, replica] = servers;
      const name = words.toUpperCase();
      if (name.startsWith('CLUSTER SLOTS') && primary !== undefined && replica !== undefined) {
        return `*1\r\n*4\r\n:0\r\n:16383\r\n${place(primary, 'a')}${place(replica, 'b')}`;
      }
      if (name === 'CLUSTER INFO') return bulk('cluster_state:ok\r\ncluster_my_epoch:1');
      if (name.startsWith('CLUSTER')) return '-ERR unknown subcommand\r\n';
      if (name === 'PING') return '+PONG\r\n';
      if (name.startsWith('INFO')) return bulk(`role:${role}\r\nmaster_link_status:up`);
      if (name.startsWith('SCRIPT') && role === 'slave') return '-MASTERDOWN Link with MASTER is down\r\n';
      return '+OK\r\n';
    };
  servers.push(await serverThat(t, answerAs('master')), await serverThat(t, answerAs('slave')));
  const [primary, replica] = servers;
  assert.ok(primary && replica);
  const plan = planTo(primary.port, { mode: 'cluster' });
  const { proxy, port } = await proxyFor(t, plan);
  await eventually(
    'a replica that can be asked',
    () => proxy.status()[0]?.nodes.filter(({ state }) => state === 'fit').length === 2 || undefined,
    { seen: () => JSON.stringify([proxy.status(), primary.asked.slice(-5)]) },
  );
  const client = clientOf(t, port);
  client.socket.write('SCRIPT FLUSH\r\n');
  const scripts = ({ asked }: Server): number => asked.filter((each) => each === 'SCRIPT FLUSH').length;
  await eventually('both are told', () => (scripts(primary) > 0 && scripts(replica) > 0) || undefined);
  // Behind whatever the refusal may have brought about.
  client.socket.write('SET a b\r\n');
  await eventually('both replies', () => client.got() === '+OK\r\n+OK\r\n' || undefined);
  client.socket.write('SET a b\r\n');
  await eventually('the last', () => client.got().length === 15 || undefined);
  assert.equal(scripts(primary), 1);
});

test('servers for reads are told of scripts and settings, too', async (t) => {
  const said = 'role:slave\r\nmaster_link_status:up\r\n';
  const answer = (words: string): string =>
    words.startsWith('INFO') ? `$${said.length}\r\n${said}\r\n` : '+OK\r\n';
  const [primary, replica] = [await serverThat(t, answer), await serverThat(t, answer)];
  const reads = { address: '127.0.0.1', port: replica.port };
  const { proxy, port } = await proxyFor(t, planTo(primary.port, { reads, readPolicy: 'REPLICA' }));
  const nodes = () => proxy.status().flatMap((upstream) => upstream.nodes);
  await eventually('both', () => nodes().filter(({ isUp }) => isUp).length === 2 || undefined);
  const client = clientOf(t, port);
  const asked = ['SCRIPT LOAD x', 'CONFIG SET maxmemory 1', 'SCRIPT FLUSH', 'FUNCTION FLUSH'];
  client.socket.write(`${asked.join('\r\n')}\r\n`);
  await eventually('the replies', () => client.got() === '+OK\r\n'.repeat(4) || undefined);
  const toldOf = (server: Server): readonly string[] => server.asked.filter((words) => asked.includes(words));
  await eventually('all told', () => toldOf(replica).length === 3 || undefined, {
    seen: () => toldOf(replica).join(),
  });
  // Functions are replicated.
  assert.deepEqual([toldOf(primary), toldOf(replica)], [asked, asked.slice(0, 3)]);
});

test('a slow command that concerns all servers is logged with its client', async (t) => {
  const redis = await serverThat(t, (words, socket) => {
    if (words !== 'DBSIZE') return '+PONG\r\n';
    setTimeout(() => socket.write(':1\r\n'), 20);
    return undefined;
  });
  const { port, lines } = await proxyFor(t, planTo(redis.port), { logSlowerThanMs: 10 });
  const client = clientOf(t, port);
  client.socket.write('DBSIZE\r\n');
  await eventually('the reply', () => client.got() === ':1\r\n' || undefined);
  const line = lines.find((each) => each.includes('slow command')) ?? '{}';
  const { localPort } = client.socket;
  assert.equal((JSON.parse(line) as { readonly client?: string }).client, `127.0.0.1:${localPort}`);
});
