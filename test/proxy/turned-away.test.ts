/**
 * A Redis that hangs up on whoever connects, with a word: nothing that came over the connection was carried out.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

const FULL = '-ERR max number of clients reached\r\n';
const PROTECTED = '-DENIED Redis is running in protected mode because protected mode is enabled.\r\n';
const LATE = { deadlineMs: 30_000 };

interface Door {
  /** To new connections, which are closed then; undefined: they are let in. */
  says: string | undefined;
}

/** `done`: what it has carried out. */
async function redis(
  t: TestContext,
  door: Door,
): Promise<{ readonly port: number; readonly done: string[] }> {
  const done: string[] = [];
  const letIn = new WeakSet<object>();
  const { port } = await serverThat(t, (words, socket) => {
    if (!letIn.has(socket) && door.says !== undefined) {
      if (socket.writable) socket.end(door.says);
      return undefined;
    }
    letIn.add(socket);
    if (words === 'PING') return '+PONG\r\n';
    if (words.startsWith('INFO')) return '-NOPERM\r\n';
    done.push(words);
    return words.startsWith('EVAL') ? FULL : '+OK\r\n';
  });
  return { port, done };
}

function states(proxy: Proxy): string {
  const nodes = proxy.status().flatMap((upstream) => upstream.nodes);
  return nodes.map(({ state }) => state).join('; ');
}

test('what was sent to a server that has no room for more clients waits for room, and is carried out once', async (t) => {
  const door: Door = { says: FULL };
  const { port, done } = await redis(t, door);
  const { proxy, port: through } = await proxyFor(t, planTo(port), { failoverWaitMs: 30_000 });
  const client = clientOf(t, through);
  client.socket.write('INCR a\r\nINCR b\r\nINCR c\r\n');
  await eventually('its being told', () => states(proxy).includes('no more clients') || undefined, LATE);
  door.says = undefined;
  await eventually('the replies', () => client.got().split('\r\n').length > 3 || undefined, LATE);
  assert.equal(client.got(), '+OK\r\n+OK\r\n+OK\r\n');
  assert.deepEqual(done, ['INCR a', 'INCR b', 'INCR c']);
});

test('a server for reads that has no room for more clients is passed by', async (t) => {
  const door: Door = { says: undefined };
  const [full, other] = [await redis(t, door), await redis(t, { says: undefined })];
  const plan = planTo(1, { reads: { address: '127.0.0.1', port: 1 }, readPolicy: 'REPLICA' });
  const groups = [[full, other].map(({ port }) => ({ kind: 'dns', name: '127.0.0.1', port }) as const)];
  const upstreams = Array.from(plan.upstreams, ([id, upstream]) => {
    return [id, upstream.mode === 'reads' ? { ...upstream, groups } : upstream] as const;
  });
  const { proxy, port } = await proxyFor(t, { ...plan, upstreams: new Map(upstreams) });
  await eventually('both', () => states(proxy).endsWith('fit; fit') || undefined, {
    seen: () => states(proxy),
  });
  door.says = FULL;
  const client = clientOf(t, port);
  for (let reads = 1; reads <= 6; reads++) {
    client.socket.write(`GET ${reads}\r\n`);
    await eventually('the reply', () => client.got().split('\r\n').length > reads || undefined, LATE);
  }
  assert.equal(client.got(), '+OK\r\n'.repeat(6));
  assert.equal(other.done.length, 6);
});

test('a script that says the same is no server without room', async (t) => {
  const { port, done } = await redis(t, { says: undefined });
  const { port: through } = await proxyFor(t, planTo(port));
  const client = clientOf(t, through);
  client.socket.write('EVAL x 1 a\r\n');
  await eventually('the reply', () => client.got() !== '' || undefined);
  assert.equal(client.got(), FULL);
  assert.deepEqual(done, ['EVAL x 1 a']);
});

test('who has a password is turned away, too, which is no wrong password; and that it is in protected mode is told', async (t) => {
  const { SecretText } = await import('../../src/api/secret-text.ts');
  const { port } = await redis(t, { says: PROTECTED });
  const { proxy, port: through } = await proxyFor(
    t,
    planTo(port, { upstreamPassword: new SecretText('sesame') }),
    { failoverWaitMs: 100 },
  );
  const client = clientOf(t, through);
  client.socket.write('GET a\r\n');
  await eventually('the reply', () => client.got() !== '' || undefined, LATE);
  assert.equal(client.got(), '-no upstream host\r\n');
  assert.match(states(proxy), /^no connection: it is in protected mode: /);
  assert.equal(proxy.notReady(), undefined);
});
