import assert from 'node:assert/strict';
import { test } from 'node:test';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { startRedis, stopRedis } from '../../src/demo/redis-node.ts';
import type { Upstream } from '../../src/plan/routing-plan.ts';
import { needRedis } from './environment.ts';
import { client, portsOf, startProxy } from './proxy-setting.ts';
import { planTo } from '../proxy/servers.ts';

for (const from of ['path', 'wheel'] as const) {
  test(`a replica that was made a primary is not read from while the others follow another (server from the ${from})`, async (t) => {
    const redis = await needRedis(t, from);
    if (redis === undefined) return;
    const folder = await temporaryFolder('servers');
    t.after(() => removeFolder(folder));
    const nodes = await Promise.all([0, 1, 2].map(() => startRedis({ server: redis.server, folder })));
    t.after(() => Promise.all(nodes.map(stopRedis)));
    const [primary, one, two] = nodes;
    assert.ok(primary && one && two);
    for (const { client: node } of [one, two]) await node.replicaof('127.0.0.1', primary.port);
    const plan = planTo(primary.port, {
      reads: { address: '127.0.0.1', port: one.port },
      readPolicy: 'REPLICA',
    });
    const groups = [[one, two].map(({ port }) => ({ kind: 'dns', name: '127.0.0.1', port }) as const)];
    const upstreams = [...plan.upstreams].map(([id, upstream]): [string, Upstream] => [
      id,
      upstream.mode === 'reads' ? { ...upstream, groups } : upstream,
    ]);
    const proxy = await startProxy(t, { ...plan, upstreams: new Map(upstreams) }, { hedgeAfterMs: 60_000 });
    const through = client(t, portsOf(proxy)[0] ?? 0);
    const states = (): string =>
      [one, two]
        .map(({ port }) =>
          proxy
            .status()
            .flatMap((each) => each.nodes)
            .find((node) => node.address.endsWith(`:${port}`)),
        )
        .map((node) => `${node?.role}: ${node?.state}`)
        .join(', ');
    const are = async (...said: readonly string[]): Promise<unknown> =>
      await eventually(said.join(', '), () => states() === said.join(', ') || undefined, { seen: states });
    const values = async (): Promise<unknown[]> =>
      await Promise.all([1, 2, 3, 4].map(() => through.get('k')));
    await are('replica: fit', 'replica: fit');
    await through.set('k', 'old');
    await one.client.replicaof('NO', 'ONE');
    await are('primary: it is a primary that the others do not follow', 'replica: fit');
    await through.set('k', 'new');
    await eventually(
      'the other one having it',
      async () => (await two.client.get('k')) === 'new' || undefined,
    );
    assert.deepEqual(await values(), ['new', 'new', 'new', 'new']);
    // As after a failover: whom the others follow is as good as they are.
    await two.client.replicaof('127.0.0.1', one.port);
    await are('primary: fit', 'replica: fit');
  });
}
