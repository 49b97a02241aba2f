/**
 * A proxy that carries out the objects in files.
 */
import type { Proxy } from '../proxy/proxy.ts';
import { watchFiles } from '../sources/files/watch.ts';
import { ProxyPlanning, type PlanningOptions } from './proxy-planning.ts';

/** Every change of the files is carried out from the next command on. */
export async function followFiles(
  proxy: Proxy,
  paths: readonly string[],
  options: PlanningOptions,
): Promise<{ waitingFor(): string | undefined; close(): Promise<void> }> {
  const { log } = options;
  const planning = new ProxyPlanning(proxy, options);
  const files = await watchFiles(paths, { onChange: (...change) => planning.follow(...change), log });
  await planning.begin();
  return {
    // Instead of proxies that still carry out what was there before, ones that carry out nothing would get their clients.
    waitingFor: () => planning.whyNothing(),
    close: async () => {
      await files.close();
      await planning.close();
    },
  };
}
