import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

const CROSS_SLOT = "-CROSSSLOT Keys in request don't hash to the same slot\r\n";
const OK = '+OK\r\n';

/** Two clusters of one node; keys that begin with "b:" have a route of their own. */
async function setUp(
  t: TestContext,
  isElsewhere: boolean,
  answer: (words: string, node: number) => string | undefined,
  hasCatchAll = true,
) {
  const [one, other] = [await clusterThat(t, 1, answer), await clusterThat(t, 1, answer)];
  const [first] = one.plan().upstreams.values();
  const [second] = other.plan().upstreams.values();
  assert.ok(first !== undefined && second !== undefined);
  const withPrefix = (plan: RoutingPlan): RoutingPlan => ({
    upstreams: new Map([...plan.upstreams, ['other', { ...second, id: 'other' }]]),
    listeners: plan.listeners.map(({ bind, listener }) => {
      const upstream = isElsewhere ? 'other' : first.id;
      const prefixes = [{ upstream, reads: undefined, mirrors: [], prefix: 'b:', removePrefix: false }];
      if (hasCatchAll) return { bind, listener: { ...listener, routes: { ...listener.routes, prefixes } } };
      prefixes.unshift({ ...prefixes[0]!, upstream: first.id, prefix: 'a:' });
      return {
        bind,
        listener: { ...listener, routes: { caseInsensitive: false, catchAll: undefined, prefixes } },
      };
    }),
  });
  const { port, proxy } = await proxyFor(t, withPrefix(one.plan()));
  await eventually('both topologies', () => proxy.notReady() === undefined || undefined);
  return { port, one, other };
}

for (const [command, isElsewhere, wanted] of [
  // Carried out by the first key's cluster, what is under the other name would be nobody's.
  ['RENAME a:{t} b:{t}', true, CROSS_SLOT],
  ['SUNION a:{t} b:{t}', true, CROSS_SLOT],
  ['ZUNION 2 a:{t} b:{t}', true, CROSS_SLOT],
  ['RENAME b:{t} b:2{t}', true, OK],
  ['RENAME a:{t} b:{t}', false, OK],
  ['ZUNION 2 a:{t} b:{t}', false, OK],
] as const) {
  const where = isElsewhere ? 'another cluster' : 'the same cluster';
  test(`${command} where "b:" is of ${where} is ${wanted === OK ? 'carried out' : 'refused'}`, async (t) => {
    const answer = (words: string): string | undefined => (/^(?:RENAME|.UNION)/.test(words) ? OK : undefined);
    const { port } = await setUp(t, isElsewhere, answer);
    const client = clientOf(t, port);
    client.socket.write(`${command}\r\n`);
    await eventually('its reply', () => client.got().endsWith('\r\n') || undefined);
    assert.equal(client.got(), wanted);
  });
}

test('scripts are loaded at the servers of all routes, and only there what concerns all of one', async (t) => {
  const { port, one, other } = await setUp(t, true, (words) =>
    /^(?:SCRIPT|FUNCTION|FLUSH)/.test(words) ? OK : undefined,
  );
  const client = clientOf(t, port);
  const toAll = ['FUNCTION DELETE x', 'FUNCTION RESTORE x', 'FUNCTION LOAD x', 'SCRIPT LOAD x'];
  const toOne = ['FLUSHALL', 'SCRIPT FLUSH', 'FUNCTION FLUSH'];
  client.socket.write([...toOne, ...toAll, ''].join('\r\n'));
  await eventually('the replies', () => client.got() === OK.repeat(7) || undefined);
  const toldOf = ({ askedOf }: typeof one): readonly string[] =>
    askedOf(0).filter((words) => /^(?:SCRIPT|FUNCTION|FLUSH)/.test(words));
  await eventually('the other', () => toldOf(other).includes('SCRIPT LOAD x') || undefined);
  assert.deepEqual(toldOf(one), [...toOne, ...toAll]);
  assert.deepEqual(toldOf(other), toAll);
});

test('scripts and functions are loaded at the servers of all routes also where none is a catch-all', async (t) => {
  const answer = (words: string): string | undefined => (words.endsWith('LOAD x') ? OK : undefined);
  const { port, one, other } = await setUp(t, true, answer, false);
  const client = clientOf(t, port);
  client.socket.write('SCRIPT LOAD x\r\nFUNCTION LOAD x\r\nSCRIPT EXISTS x\r\n');
  const replies = `${OK}${OK}-no upstream host\r\n`;
  await eventually('the replies', () => client.got() === replies || undefined, { seen: () => client.got() });
  await eventually('the other', () => other.askedOf(0).length === 2 || undefined);
  assert.deepEqual(other.askedOf(0), ['SCRIPT LOAD x', 'FUNCTION LOAD x']);
  assert.deepEqual(one.askedOf(0), ['SCRIPT LOAD x', 'FUNCTION LOAD x']);
});

for (const count of [2, 40]) {
  test(`of ${2 * count} keys in one slot those of another route go there`, async (t) => {
    const { port, one, other } = await setUp(t, true, (words) =>
      words.startsWith('del') ? ':1\r\n' : undefined,
    );
    const keysOf = (prefix: string): readonly string[] =>
      Array.from({ length: count }, (_, index) => `${prefix}:{t}${index}`);
    const client = clientOf(t, port);
    client.socket.write(`DEL ${[...keysOf('a'), ...keysOf('b')].join(' ')}\r\n`);
    await eventually('its reply', () => client.got().endsWith('\r\n') || undefined);
    assert.equal(client.got(), ':2\r\n');
    assert.deepEqual(one.askedOf(0), [`del ${keysOf('a').join(' ')}`]);
    assert.deepEqual(other.askedOf(0), [`del ${keysOf('b').join(' ')}`]);
  });
}
