/**
 * A proxy that carries out the objects in files.
 */
import type { Logger } from 'pino';

import type { Diagnostic } from '../api/diagnostic.ts';
import { Planner } from '../plan/planner.ts';
import { planForView } from '../plan/view.ts';
import type { Proxy } from '../proxy/proxy.ts';
import { watchFiles } from '../sources/files/watch.ts';
import { World, type ObjectChanges } from '../world/world.ts';
import { CLUSTER_DOMAIN } from './arguments.ts';
import { DiagnosticsLog } from './diagnostics-log.ts';

export const PROXY_DEFAULTS = {
  hedgeAfterMs: 200,
  failoverWaitMs: 4_000,
  maxClients: 10_000,
  drainMs: 5_000,
} as const;

/** Every change of the files is carried out from the next command on. */
export async function followFiles(
  proxy: Proxy,
  paths: readonly string[],
  {
    namespace,
    bind,
    clusterDomain = CLUSTER_DOMAIN,
  }: { readonly namespace?: string; readonly bind: string; readonly clusterDomain?: string },
  log: Logger,
): Promise<{ close(): Promise<void> }> {
  const planner = new Planner();
  const news = new DiagnosticsLog(log);
  let world = World.empty({ clusterDomain });
  // One plan after the other.
  let updates = Promise.resolve();
  const follow = (changes: ObjectChanges, ofFiles: readonly Diagnostic[]): void => {
    const next = world.apply(changes);
    world = next.world;
    planner.update(world, next.changed);
    const { plan, diagnostics } = planForView(planner.plans(), {
      namespace,
      hosts: undefined,
      bindAddress: bind,
    });
    news.set('all', [...ofFiles, ...planner.diagnostics(), ...diagnostics]);
    news.tell();
    updates = updates
      .then(() => proxy.update(plan))
      .catch((error: unknown) => log.error(error instanceof Error ? error.message : String(error)));
  };
  const files = await watchFiles(paths, { onChange: follow, log });
  await updates;
  return files;
}
