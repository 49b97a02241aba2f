import assert from 'node:assert/strict';
import dns from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

/** Names have no address until what is returned is called with one. */
function holdNames(t: TestContext): (address: string) => void {
  let tell = (_address: string): void => {};
  const told = new Promise<string>((resolve) => (tell = resolve));
  const { lookup } = dns;
  dns.lookup = (async () => [{ address: await told, family: 4 }]) as unknown as typeof lookup;
  syncBuiltinESMExports();
  t.after(() => {
    dns.lookup = lookup;
    syncBuiltinESMExports();
  });
  return tell;
}

const COMMANDS = ['TIME', 'PUBLISH news hi', 'EVAL return(1) 0', 'DBSIZE', 'SCAN 0'];

test('what has no key and comes before its server is known is carried out once it is', async (t) => {
  const redis = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : ':1\r\n'));
  const tell = holdNames(t);
  const plan = planTo(redis.port);
  const [upstream] = plan.upstreams.values();
  assert.ok(upstream?.mode === 'proxy');
  const servers = { kind: 'dns' as const, name: 'servers', port: redis.port };
  const upstreams = new Map([[upstream.id, { ...upstream, servers }]]);
  const { port, proxy } = await proxyFor(t, { ...plan, upstreams }, { failoverWaitMs: 60_000 });
  const clients = COMMANDS.map((command) => {
    const client = clientOf(t, port);
    client.socket.write(`PING\r\n${command}\r\n`);
    return client;
  });
  await eventually('their being looked at', () =>
    clients.every((client) => client.got() === '+PONG\r\n') ? true : undefined,
  );
  assert.notEqual(proxy.notReady(), undefined);
  tell('127.0.0.1');
  await eventually('the replies', () =>
    clients.every((client) => client.got() === '+PONG\r\n:1\r\n') ? true : undefined,
  );
  assert.deepEqual(redis.asked.filter((words) => words !== 'PING').sort(), COMMANDS.toSorted());
});
