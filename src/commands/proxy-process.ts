/**
 * One process that carries a plan out until it is told to stop: the only one, or one of several workers.
 */
import type { Logger } from 'pino';
import { Registry } from 'prom-client';

import { createAdminServer } from '../admin/admin-server.ts';
import { createCertificateMetric, createProxyMetrics } from '../proxy/proxy-metrics.ts';
import { Proxy, type ProxyOptions } from '../proxy/proxy.ts';
import type { HostAndPort } from '../xds/index.ts';
import type { RunningSource, StartSource } from './proxy-source.ts';
import { openListenerTls } from './proxy-tls.ts';
import { STOPPING, stopAsked } from './stop-asked.ts';
import type { ListenerFiles } from './tls-arguments.ts';
import { FirstProcess, leaveFirstProcess, workerNumber } from './workers.ts';

export interface ProcessOptions {
  readonly proxy: Omit<ProxyOptions, 'log' | 'tls' | 'ids'>;
  /** TLS towards clients; undefined: in the clear. */
  readonly listenerFiles: ListenerFiles | undefined;
  readonly adminAddress: HostAndPort;
  readonly workers: number;
  readonly startSource: StartSource;
}

export async function carryOut(options: ProcessOptions, programLog: Logger): Promise<void> {
  const worker = workerNumber();
  const log = worker === undefined ? programLog : programLog.child({ worker });
  const { listenerFiles } = options;
  const first = worker === undefined ? undefined : new FirstProcess();
  // Closed whatever happens: what is open by then, the channel to the first process too, would keep this one alive, with
  // nobody to serve.
  const opened: (() => Promise<void> | void)[] = first === undefined ? [] : [leaveFirstProcess];
  try {
    const memory = await first?.memory();
    const secured = listenerFiles && (await openListenerTls(listenerFiles, log, memory));
    opened.push(() => secured?.close());
    const proxy = await Proxy.create({
      ...options.proxy,
      tls: secured?.tls,
      ids: worker === undefined ? undefined : { first: worker, step: options.workers },
      log,
    });
    opened.push(() => proxy.close());
    const metrics = new Registry();
    createProxyMetrics(metrics, proxy);
    if (secured !== undefined) createCertificateMetric(metrics, secured.tls);
    let running: RunningSource | undefined;
    let isStopping = false;
    const notReady = (): string | undefined =>
      isStopping ? STOPPING : (running?.waitingFor?.() ?? proxy.notReady());
    if (first === undefined) {
      const admin = await createAdminServer({
        address: options.adminAddress,
        notReady,
        metrics,
        documents: { '/listeners': () => proxy.listeners(), '/topology': () => proxy.status() },
      });
      opened.push(() => admin.close());
      running = await options.startSource(proxy, log, metrics, memory);
      opened.push(async () => await running?.close());
      // Heeded before anybody is told that it runs.
      const stopped = stopAsked();
      log.info(`admin on http://${admin.address}`);
      await stopped;
      isStopping = true;
      log.info('stopping');
      // Before the admin is closed, which says so meanwhile.
      await proxy.drain();
    } else {
      follow(first, proxy, metrics, notReady);
      opened.push(async () => {
        await proxy.drain();
        await first.tellLast();
      });
      running = await options.startSource(proxy, log, metrics, memory);
      opened.push(async () => await running?.close());
      first.started();
      await Promise.race([stopAsked(), first.stopAsked]);
    }
  } finally {
    for (const close of opened.reverse()) await close();
  }
}

function follow(
  first: FirstProcess,
  proxy: Proxy,
  metrics: Registry,
  notReady: () => string | undefined,
): void {
  first.report = async () => ({
    pid: process.pid,
    notReady: notReady(),
    metrics: await metrics.getMetricsAsJSON(),
    listeners: proxy.listeners(),
    topology: proxy.status(),
  });
  proxy.clientCount.onChange = () => first.countClients(() => proxy.clientCount.count);
  first.onOthers = (clients) => {
    proxy.clientCount.others = clients;
  };
}
