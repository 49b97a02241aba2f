/**
 * `redpilot proxy`: the data plane where no Envoy is, until it is told to stop.
 */
import { Command, InvalidArgumentError, Option } from 'commander';

import type { SocketAddress } from '../plan/routing-plan.ts';
import { POLICIES } from '../proxy/shard.ts';
import type { HostAndPort } from '../xds/index.ts';
import {
  addressOption,
  clusterDomainOption,
  collect,
  parseAddress,
  parseBind,
  parseHosts,
  parseNamespace,
  parseNodeId,
} from './arguments.ts';
import { createLog } from './log.ts';
import { PROXY_DEFAULTS } from './proxy-files.ts';
import { carryOut } from './proxy-process.ts';
import { chooseSource, type SourceOptions } from './proxy-source.ts';
import { superviseWorkers } from './proxy-workers.ts';
import {
  addListenerTlsOptions,
  addTlsOptions,
  listenerFiles,
  type ListenerTlsArguments,
} from './tls-arguments.ts';
import { workerNumber } from './workers.ts';

interface ProxyCommandOptions extends SourceOptions, ListenerTlsArguments {
  readonly adminAddress: HostAndPort;
  readonly hedgeAfter: number;
  readonly failoverWait: number;
  readonly maxClients: number;
  readonly workers: number;
  readonly maxLag?: number;
  readonly logSlowerThan?: number;
}

export function proxyCommand(): Command {
  const env = (option: Option, name: string): Option => option.env(`REDPILOT_${name}`);
  const command = new Command('proxy')
    .description(
      'carry the routing out without Envoy: as a control plane says, from objects in files or in a cluster, or from flags alone',
    )
    .option('--xds-address <host:port>', 'the control plane whose configuration is followed', parseAddress)
    .option('--config <path...>', 'file or folder of objects; may be repeated', collect)
    .option(
      '--kubernetes',
      'the objects of the cluster that KUBECONFIG names, in a pod those of its own',
      false,
    )
    .option(
      '--namespace <name>',
      "as a client of this namespace is served (with TLS that of the certificate; with --kubernetes by default the pod's own)",
      parseNamespace,
    )
    .option('--hosts <host,...>', 'only these hosts', parseHosts)
    .option(
      '--bind <address|auto>',
      'where listeners listen (default: 127.0.0.1, with --xds-address as the control plane says)',
      parseBind,
    )
    .option('--node-id <id>', "with --xds-address: this proxy's name (default: the machine's)", parseNodeId)
    .option(
      '--watch-namespace <name...>',
      'with --kubernetes: only objects of this one; may be repeated',
      collect,
    )
    .option('--selector <labels>', 'with --kubernetes: only RedisServices and RedisDestinations with these')
    .option(
      '--no-probe',
      'with objects: do not ask Redis hosts whether they are a Redis Cluster where no RedisDestination says it',
    )
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
    .addOption(
      env(
        new Option('--workers <count>', 'processes that share the load, one a core at most').argParser(
          parseCount,
        ),
        'WORKERS',
      ).default(1),
    );
  addListenerTlsOptions(command);
  return addTlsOptions(command, 'this proxy; read again when it connects', 'the control plane').action(
    async (options: ProxyCommandOptions, command: Command) => {
      const log = createLog(String(command.opts()['logLevel']));
      const { adminAddress, workers } = options;
      // Before anything is started, also where other processes will do it: what is wrong is said once.
      const startSource = chooseSource(command, options);
      const files = listenerFiles(command, options);
      if (workers > 1 && workerNumber() === undefined) {
        return await superviseWorkers(workers, adminAddress, log);
      }
      const proxy = {
        hedgeAfterMs: options.hedgeAfter,
        failoverWaitMs: options.failoverWait,
        maxClients: options.maxClients,
        drainMs: PROXY_DEFAULTS.drainMs,
        zone: options.zone,
        maxLagMs: options.maxLag,
        logSlowerThanMs: options.logSlowerThan,
      };
      await carryOut({ proxy, listenerFiles: files, adminAddress, workers, startSource }, log);
    },
  );
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
