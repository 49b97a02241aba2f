/**
 * A proxy that carries out the objects in files.
 */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';

import type { Proxy } from '../proxy/proxy.ts';
import { watchFiles } from '../sources/files/watch.ts';
import { ProxyPlanning, type ProxyView } from './proxy-planning.ts';

/** Every change of the files is carried out from the next command on. */
export async function followFiles(
  proxy: Proxy,
  paths: readonly string[],
  view: ProxyView,
  log: Logger,
  probe?: Registry,
): Promise<{ close(): Promise<void> }> {
  const planning = new ProxyPlanning(proxy, { ...view, log, probe });
  const files = await watchFiles(paths, { onChange: (...change) => planning.follow(...change), log });
  await planning.begin();
  return {
    close: async () => {
      await files.close();
      await planning.close();
    },
  };
}
