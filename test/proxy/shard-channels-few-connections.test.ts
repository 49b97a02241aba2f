import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { clusterThat } from './scripted-cluster.ts';
import { array, clientOf, proxyFor } from './servers.ts';

/** As another upstream, which may have one connection of a client's own. */
function withFewConnections(plan: RoutingPlan): RoutingPlan {
  const upstreams = Array.from(plan.upstreams, ([id, upstream]) => [
    id,
    { ...upstream, generation: 1, maxConnections: 1 },
  ]);
  return { ...plan, upstreams: new Map(upstreams as Iterable<[string, never]>) };
}

test('shard channels of one node share a connection, though its slots were asked for before it was known', async (t) => {
  const cluster = await clusterThat(t, 1, (words) => {
    const [name = '', channel = ''] = words.split(' ');
    return name.toLowerCase() === 'ssubscribe' ? array('ssubscribe', channel, ':1') : undefined;
  });
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await eventually('the cluster', () => proxy.notReady() === undefined || undefined);
  const subscriber = clientOf(t, port);
  subscriber.socket.write('SSUBSCRIBE one\r\nSSUBSCRIBE other\r\n');
  await eventually('the confirmations', () => subscriber.got().split('*3').length === 3 || undefined);
  await proxy.update(withFewConnections(cluster.plan()));
  const timesAsked = (channel: string): number =>
    cluster.askedOf(0).filter((words) => words.toLowerCase() === `ssubscribe ${channel}`).length;
  await eventually(
    'both subscriptions at the new upstream',
    () => (timesAsked('one') === 2 && timesAsked('other') === 2) || undefined,
    { seen: () => cluster.askedOf(0).join(', ') },
  );
});
