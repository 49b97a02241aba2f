/**
 * `redpilot proxy`: the data plane where no Envoy is, until it is told to stop.
 */
import { readFile } from 'node:fs/promises';

import { Command, InvalidArgumentError, Option } from 'commander';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';

import { createAdminServer } from '../admin/admin-server.ts';
import type { ReadPolicy } from '../api/objects.ts';
import { SecretText } from '../api/secret-text.ts';
import type { SocketAddress } from '../plan/routing-plan.ts';
import { planSingleUpstream } from '../plan/single-upstream.ts';
import { createProxyMetrics } from '../proxy/proxy-metrics.ts';
import { Proxy } from '../proxy/proxy.ts';
import { POLICIES } from '../proxy/shard.ts';
import type { HostAndPort } from '../xds/index.ts';
import {
  addressOption,
  clusterDomainOption,
  collect,
  parseAddress,
  parseBind,
  parseNamespace,
} from './arguments.ts';
import { createLog } from './log.ts';
import { PROXY_DEFAULTS, followFiles } from './proxy-files.ts';
import { stopAsked } from './stop-asked.ts';

interface ProxyCommandOptions {
  readonly config?: readonly string[];
  readonly namespace?: string;
  readonly bind: string;
  readonly clusterDomain: string;
  readonly upstream?: SocketAddress;
  readonly mode: 'cluster' | 'proxy';
  readonly reads?: SocketAddress;
  readonly readPolicy: ReadPolicy;
  readonly listen: SocketAddress;
  readonly clientPasswordFile?: string;
  readonly upstreamPasswordFile?: string;
  readonly adminAddress: HostAndPort;
  readonly hedgeAfter: number;
  readonly failoverWait: number;
  readonly maxClients: number;
  readonly zone?: string;
  readonly maxLag?: number;
  readonly logSlowerThan?: number;
}

export function proxyCommand(): Command {
  const env = (option: Option, name: string): Option => option.env(`REDPILOT_${name}`);
  return new Command('proxy')
    .description('carry the routing out without Envoy: from objects in files, or from flags alone')
    .option('--config <path...>', 'file or folder of objects; may be repeated', collect)
    .option('--namespace <name>', 'with --config: as a client of this namespace is served', parseNamespace)
    .option('--bind <address>', 'with --config: where listeners listen', parseBind, '127.0.0.1')
    .addOption(clusterDomainOption())
    .addOption(env(new Option('--upstream <host:port>', 'Redis').argParser(parsePlace), 'UPSTREAM'))
    .addOption(
      env(
        new Option('--mode <mode>', 'Redis Cluster, or plain servers').choices(['cluster', 'proxy']),
        'MODE',
      ).default('cluster'),
    )
    .addOption(
      env(
        new Option('--reads <host:port>', 'with --mode proxy: the replicas, for reads').argParser(parsePlace),
        'READS',
      ),
    )
    .addOption(
      env(
        new Option('--read-policy <policy>', 'who answers reads').choices(POLICIES).default('MASTER'),
        'READ_POLICY',
      ),
    )
    .addOption(
      env(
        new Option('--listen <host:port>', 'where clients connect; :PORT is every address')
          .argParser(parseListen)
          .default({ address: '127.0.0.1', port: 6_379 }, '127.0.0.1:6379'),
        'LISTEN',
      ),
    )
    .addOption(
      env(new Option('--client-password-file <path>', 'what clients must present'), 'CLIENT_PASSWORD_FILE'),
    )
    .addOption(
      env(new Option('--upstream-password-file <path>', 'what Redis wants'), 'UPSTREAM_PASSWORD_FILE'),
    )
    .addOption(
      env(
        new Option('--zone <zone>', 'the zone this proxy is in: with zone affinity its nodes are read first'),
        'ZONE',
      ),
    )
    .addOption(
      addressOption('--admin-address <host:port>', 'health, readiness, metrics, topology', '127.0.0.1:19001'),
    )
    .addOption(
      new Option('--hedge-after <ms>', 'a read unanswered for so long is asked elsewhere too')
        .argParser(parseMilliseconds)
        .default(PROXY_DEFAULTS.hedgeAfterMs),
    )
    .addOption(
      env(
        new Option(
          '--max-lag <duration>',
          'a replica that may be further behind gets no reads: 5s, 800ms',
        ).argParser(parseLag),
        'MAX_LAG',
      ),
    )
    .addOption(
      new Option('--failover-wait <ms>', 'how long a command waits while nobody can be asked')
        .argParser(parseMilliseconds)
        .default(PROXY_DEFAULTS.failoverWaitMs),
    )
    .addOption(
      env(
        new Option('--log-slower-than <ms>', 'a line for each command whose client waited so long').argParser(
          parseMilliseconds,
        ),
        'LOG_SLOWER_THAN',
      ),
    )
    .addOption(
      new Option('--max-clients <count>', 'more are turned away')
        .argParser(parseCount)
        .default(PROXY_DEFAULTS.maxClients),
    )
    .action(async (options: ProxyCommandOptions, command: Command) => {
      const log = createLog(String(command.opts()['logLevel']));
      if ((options.config === undefined) === (options.upstream === undefined)) {
        command.error('error: give either --config PATH or --upstream HOST:PORT');
      }
      const problem = readsProblem(options);
      if (problem !== undefined) command.error(`error: ${problem}`);
      const proxy = await Proxy.create({
        hedgeAfterMs: options.hedgeAfter,
        failoverWaitMs: options.failoverWait,
        maxClients: options.maxClients,
        drainMs: PROXY_DEFAULTS.drainMs,
        zone: options.zone,
        maxLagMs: options.maxLag,
        logSlowerThanMs: options.logSlowerThan,
        log,
      });
      // Closed whatever happens: what is open by then would keep the process alive, with nobody to serve.
      const opened: (() => Promise<void>)[] = [() => proxy.close()];
      try {
        const metrics = new Registry();
        createProxyMetrics(metrics, proxy);
        const admin = await createAdminServer({
          address: options.adminAddress,
          notReady: () => proxy.notReady(),
          metrics,
          documents: { '/topology': () => proxy.status() },
        });
        opened.push(() => admin.close());
        const source = await startSource(proxy, options, log);
        if (source !== undefined) opened.push(() => source.close());
        log.info(`admin on http://${admin.address}`);
        await stopAsked();
        log.info('stopping');
      } finally {
        for (const close of opened.reverse()) await close();
      }
    });
}

async function startSource(
  proxy: Proxy,
  options: ProxyCommandOptions,
  log: Logger,
): Promise<{ close(): Promise<void> } | undefined> {
  if (options.config !== undefined) return await followFiles(proxy, options.config, options, log);
  const { upstream = { address: '', port: 0 }, mode, reads, readPolicy, listen } = options;
  const [clientPassword, upstreamPassword] = await Promise.all([
    readPassword('--client-password-file', options.clientPasswordFile),
    readPassword('--upstream-password-file', options.upstreamPasswordFile),
  ]);
  await proxy.update(
    planSingleUpstream({
      upstream,
      mode,
      reads,
      readPolicy,
      listen,
      clientPassword,
      upstreamPassword,
      zoneAffinity: options.zone !== undefined,
    }),
  );
  return undefined;
}

/** Replicas that nobody would read from. */
function readsProblem({ reads, mode, readPolicy }: ProxyCommandOptions): string | undefined {
  if (reads === undefined) return undefined;
  if (mode === 'cluster') {
    return '--reads is for plain servers, a Redis Cluster names its replicas itself: add --mode proxy, or remove --reads';
  }
  if (readPolicy !== 'MASTER') return undefined;
  return '--reads has no effect under the read policy MASTER: add --read-policy REPLICA (or another)';
}

async function readPassword(flag: string, path: string | undefined): Promise<SecretText | undefined> {
  if (path === undefined) return undefined;
  let text;
  try {
    text = (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`${flag} ${path}: it can't be read (${code}); give a file with the password`, {
      cause: error,
    });
  }
  // Never a listener that is open because its file was.
  if (text === '') throw new Error(`${flag} ${path}: is empty; write the password into it`);
  return new SecretText(text);
}

function parsePlace(text: string): SocketAddress {
  const { host, port } = parseAddress(text);
  return { address: host, port };
}

function parseListen(text: string): SocketAddress {
  return parsePlace(text.startsWith(':') ? `0.0.0.0${text}` : text);
}

function parseMilliseconds(text: string): number {
  const ms = Number(text.replace(/ms$/, ''));
  if (!Number.isInteger(ms) || ms < 1) throw new InvalidArgumentError('write milliseconds, for example 200');
  return ms;
}

/** Below half a second the questions to Redis would be most of what it does. */
function parseLag(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)(ms|s)$/.exec(text);
  const ms = Number(parts?.[1]) * (parts?.[2] === 's' ? 1_000 : 1);
  if (parts === null || ms < 500)
    throw new InvalidArgumentError('write a duration of 500ms or more, for example 5s');
  return ms;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('write a number from 1 on');
  return count;
}
