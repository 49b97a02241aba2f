/** A Redis that is down keeps a cluster warming, and Envoy asks for no clusters meanwhile on a new stream. */
import { suite, test } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { NodeStatus } from '../../src/xds/sync-status.ts';
import { needEnvoy } from './environment.ts';
import { hostObjects } from './objects.ts';
import { startSidecar } from './sidecar.ts';

// At once: they wait most of the time.
suite('a Redis that is down', { concurrency: true }, () => {
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
});
