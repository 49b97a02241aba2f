/**
 * `redpilot proxy --workers N`: the first process, which carries out nothing itself.
 */
import type { Logger } from 'pino';
import { Registry } from 'prom-client';

import { createAdminServer } from '../admin/admin-server.ts';
import type { HostAndPort } from '../xds/index.ts';
import { PROXY_DEFAULTS } from './proxy-defaults.ts';
import { STOPPING, stopAsked } from './stop-asked.ts';
import { WorkerMetrics } from './worker-metrics.ts';
import { workersNotReady } from './worker-readiness.ts';
import { Workers, type WorkerReport } from './workers.ts';

/** Beyond what workers allow their clients. */
const STOP_MS = PROXY_DEFAULTS.drainMs + 5_000;

export async function superviseWorkers(count: number, adminAddress: HostAndPort, log: Logger): Promise<void> {
  let workers: Workers | undefined;
  const metrics = new WorkerMetrics();
  const reports = async (): ReturnType<Workers['reports']> =>
    (await workers?.reports()) ?? new Map<number, WorkerReport>();
  let isStopping = false;
  const admin = await createAdminServer({
    address: adminAddress,
    notReady: async () => (isStopping ? STOPPING : workersNotReady(count, await reports())),
    metrics: {
      contentType: Registry.PROMETHEUS_CONTENT_TYPE,
      metrics: async () => await metrics.text(await reports()),
    },
    documents: {
      // All listen alike.
      '/listeners': async () => [...(await reports()).values()][0]?.listeners ?? [],
      '/topology': async () =>
        [...(await reports())].map(([worker, { pid, topology }]) => ({ worker, pid, upstreams: topology })),
    },
  });
  try {
    const onReport = metrics.note.bind(metrics);
    workers = await Workers.start(count, { log, stopMs: STOP_MS, onReport });
    if (workers === undefined) {
      process.exitCode = 1;
      return;
    }
    const stopped = stopAsked();
    log.info(`${count} workers; admin on http://${admin.address}`);
    await stopped;
    isStopping = true;
    log.info('stopping');
  } finally {
    await workers?.close();
    await admin.close();
  }
}
