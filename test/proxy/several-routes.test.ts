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
      return { bind, listener: { ...listener, routes: { ...listener.routes, prefixes } } };
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
    /^(?:SCRIPT|FLUSH)/.test(words) ? OK : undefined,
  );
  const client = clientOf(t, port);
  client.socket.write('FLUSHALL\r\nSCRIPT FLUSH\r\nSCRIPT LOAD x\r\n');
  await eventually('the replies', () => client.got() === OK.repeat(3) || undefined);
  const toldOf = ({ askedOf }: typeof one): readonly string[] =>
    askedOf(0).filter((words) => /^(?:SCRIPT|FLUSH)/.test(words));
  await eventually('the other', () => toldOf(other).length > 0 || undefined);
  assert.deepEqual(toldOf(one), ['FLUSHALL', 'SCRIPT FLUSH', 'SCRIPT LOAD x']);
  assert.deepEqual(toldOf(other), ['SCRIPT LOAD x']);
});
