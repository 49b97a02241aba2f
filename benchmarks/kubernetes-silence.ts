/**
 * How soon watches of the API server that carry nothing any more are noticed, and how soon one that was healthy but
 * silent for minutes tells an event, with the limits as they are.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { eventually } from '../src/demo/eventually.ts';
import { KubeCluster } from '../test/e2e/kube-cluster.ts';
import { startKubeControlPlane, type ObservedControlPlane } from '../test/e2e/kube-control-plane.ts';
import { documents, redisService } from '../test/e2e/kube-objects.ts';
import { startTroubledWire } from '../test/e2e/troubled-wire.ts';

const SILENT_MS = 180_000;

export async function run(): Promise<void> {
  const ends: (() => Promise<void> | void)[] = [];
  const context = {
    after: (end: () => Promise<void> | void): void => void ends.push(end),
    skip: (reason?: string): never => {
      throw new Error(reason);
    },
  };
  try {
    const kube = await KubeCluster.start(context);
    if (kube === undefined) return;
    await kube.installControlPlane();
    const through = async (): Promise<{ silence(): void; controlPlane: ObservedControlPlane }> => {
      const wire = await startTroubledWire(context, kube.port);
      const controlPlane = await startKubeControlPlane(context, kube, { server: wire.https });
      return { silence: () => wire.silence(), controlPlane };
    };
    const [healthy, cutOff] = [await through(), await through()];
    const seen = async (controlPlane: ObservedControlPlane, namespace: string): Promise<number> => {
      const began = performance.now();
      await eventually(
        'the object',
        () => controlPlane.diagnostics().find(({ object }) => object?.namespace === namespace),
        { deadlineMs: 300_000 },
      );
      return performance.now() - began;
    };
    const apply = async (): Promise<string> => {
      const namespace = await kube.newNamespace();
      await kube.apply(documents(redisService(namespace, 'cache')));
      return namespace;
    };
    await seen(cutOff.controlPlane, await apply());
    cutOff.silence();
    const noticed = await seen(cutOff.controlPlane, await apply());
    process.stdout.write(
      `watches that went silent: an object was seen after ${(noticed / 1_000).toFixed(1)} s\n`,
    );
    await sleep(SILENT_MS);
    const told = await seen(healthy.controlPlane, await apply());
    const minutes = SILENT_MS / 60_000;
    process.stdout.write(`healthy watches, silent for ${minutes} minutes: after ${Math.round(told)} ms\n`);
  } finally {
    for (const end of ends.reverse()) await end();
  }
}
