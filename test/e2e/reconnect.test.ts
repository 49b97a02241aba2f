/**
 * What a new stream costs an Envoy that goes on: after a restart of the control plane, or at the age of its connection. A Redis
 * that is down keeps a cluster warming, and Envoy asks for no clusters meanwhile.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { NodeStatus } from '../../src/xds/sync-status.ts';
import { needEnvoy } from './environment.ts';
import { hostObjects } from './objects.ts';
import { startSidecar, type Sidecar } from './sidecar.ts';

// At once: they wait most of the time.
suite('a new stream of an Envoy that goes on', { concurrency: true }, () => {
  for (const delta of [false, true]) {
    for (const changed of [false, true]) {
      const what = changed ? 'changed' : 'new';
      const way = delta ? 'delta' : 'state of the world';
      test(`a ${what} Redis Cluster that is down holds up no other, also after a reconnect (${way})`, async (t) => {
        const envoy = await needEnvoy(t);
        if (envoy === undefined) return;
        const [port = 0, down = 0, ofDown = 0, ofLater = 0] = await freePorts(4);
        const objects = (name: string, listens: number, mode: 'CLUSTER' | 'PROXY', timeout = '1s'): string =>
          hostObjects({
            name,
            port: listens,
            endpoints: [down],
            mode,
            tcp: { connectTimeout: timeout },
            settings: { opTimeout: timeout },
          });
        const sidecar = await startSidecar(t, {
          envoy,
          delta,
          files: { 'first.yaml': objects('first', port, 'PROXY') },
        });
        const has = (text: string) => async (): Promise<true | undefined> =>
          (await sidecar.envoy.admin('/config_dump')).includes(text) ? true : undefined;
        await eventually('the first listener', has('first.redis'));
        await sidecar.write('down.yaml', objects('down', ofDown, 'CLUSTER'));
        await eventually('the listener of the one that is down', has('down.redis'));
        if (changed) await sidecar.write('down.yaml', objects('down', ofDown, 'CLUSTER', '7s'));
        if (changed) await eventually('its change', has('"connect_timeout": "7s"'));
        await sidecar.restartControlPlane();
        await sidecar.write('later.yaml', objects('later', ofLater, 'PROXY', '9s'));
        await eventually('the later listener', has('"op_timeout": "9s"'));
        await eventually('the later cluster', has('"connect_timeout": "9s"'));
        // What mends it arrives, and from then on Envoy speaks for itself again.
        await sidecar.write('down.yaml', objects('down', ofDown, 'PROXY', '8s'));
        await eventually('what mends it', has('"connect_timeout": "8s"'));
        const syncz = `http://${sidecar.controlPlane.adminAddress}/debug/syncz`;
        await eventually('an answer of Envoy', async () => {
          const [node] = (await (await fetch(syncz)).json()) as NodeStatus[];
          return node?.types.find(({ type }) => type === 'clusters')?.state === 'SYNCED' ? true : undefined;
        });
        await sidecar.remove('later.yaml');
        await eventually('the end of the later cluster', async () =>
          (await has('"connect_timeout": "9s"')()) === true ? undefined : true,
        );
      });
    }
  }

  for (const delta of [false, true]) {
    const way = delta ? 'delta' : 'state of the world';
    test(`after a reconnect only what has changed is built anew (${way})`, async (t) => {
      const envoy = await needEnvoy(t);
      if (envoy === undefined) return;
      const [down = 0, ...ports] = await freePorts(4);
      const objects = (index: number, timeout: string): string =>
        hostObjects({
          name: `cache-${index}`,
          port: ports[index] ?? 0,
          endpoints: [down],
          mode: 'CLUSTER',
          tcp: { connectTimeout: timeout },
        });
      const files = Object.fromEntries(ports.map((_, index) => [`${index}.yaml`, objects(index, '1s')]));
      const sidecar = await startSidecar(t, { envoy, delta, files });
      const has = (text: string) => async (): Promise<true | undefined> =>
        (await sidecar.envoy.admin('/config_dump')).includes(text) ? true : undefined;
      const modified = async (): Promise<number | undefined> =>
        (await sidecar.envoy.stats('cluster_manager.cluster_modified$')).get(
          'cluster_manager.cluster_modified',
        );
      await eventually('the listeners', has('active_state'));
      await sidecar.restartControlPlane();
      await eventually('Envoy', async () => ((await nodesOf(sidecar)).length === 1 ? true : undefined));
      await sidecar.write('1.yaml', objects(1, '2s'));
      await eventually('the change', has('"connect_timeout": "2s"'));
      assert.equal(await modified(), 1);
    });
  }
});

async function nodesOf({ controlPlane }: Sidecar): Promise<readonly NodeStatus[]> {
  const answer = await fetch(`http://${controlPlane.adminAddress}/debug/syncz`);
  return (await answer.json()) as readonly NodeStatus[];
}
