/**
 * `redpilot proxy`: the data plane where no Envoy is, until it is told to stop.
 */
import { availableParallelism } from 'node:os';

import { Command, InvalidArgumentError, Option } from 'commander';

import type { SocketAddress } from '../plan/routing-plan.ts';
import { POLICIES } from '../proxy/topology/shard.ts';
import type { HostAndPort } from '../xds/index.ts';
import {
  addressOption,
  clusterDomainOption,
  collect,
  collectNamespaces,
  parseBind,
  parseHosts,
  parseNamespace,
  parseNetworks,
  parseNodeId,
  parseFile,
  parseListening,
  parseRemote,
} from './arguments.ts';
import { inEnvironment, misspeltVariables } from './environment.ts';
import { createLog } from './log.ts';
import { bareDurations, countUpTo, durationBetween } from './numbers.ts';
import { roomForClients } from './open-files.ts';
import { PROXY_DEFAULTS } from './proxy-defaults.ts';
import { carryOut } from './proxy-process.ts';
import { chooseSource, warningsOf, type SourceOptions } from './proxy-source.ts';
import { superviseWorkers } from './proxy-workers.ts';
import { endWithoutReader } from './stop-asked.ts';
import {
  addListenerTlsOptions,
  addTlsOptions,
  listenerFiles,
  type ListenerTlsArguments,
} from './tls-arguments.ts';
import { tellUserSignals } from './user-signals.ts';
import { workerNumber } from './workers.ts';

interface ProxyCommandOptions extends SourceOptions, ListenerTlsArguments {
  readonly adminAddress: HostAndPort;
  readonly hedgeAfter: number;
  readonly failoverWait: number;
  readonly maxClients: number;
  readonly workers: number;
  readonly logSlowerThan?: number;
}

/** A command waits no longer than a client would. */
const WAIT = { min: '1ms', max: '1h', example: '200ms' };

/** Below half a second the questions to Redis would be most of what it does; what is known of an hour fills no memory. */
const LAG = { min: '500ms', max: '1h', example: '5s' };

const CORES = availableParallelism();
const MOST_WORKERS = Math.max(8, 4 * CORES);
const MOST_CLIENTS = 1_000_000;

export function proxyCommand(): Command {
  const command = new Command('proxy')
    .description(
      'carry the routing out without Envoy: as a control plane says, from objects in files or in a cluster, or from flags alone',
    )
    .optionsGroup('Where the plan comes from:')
    .option('--xds-address <host:port>', 'the control plane whose configuration is followed', parseRemote)
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
    .option(
      '--allow-bind <cidr,...>',
      'with objects: where the annotation redpilot.dev/listen may make listeners listen beyond loopback',
      parseNetworks,
    )
    .option('--node-id <id>', "with --xds-address: this proxy's name (default: the machine's)", parseNodeId)
    .option(
      '--watch-namespace <name...>',
      'with --kubernetes: only objects of this one; may be repeated',
      collectNamespaces,
    )
    .option('--selector <labels>', 'with --kubernetes: only RedisServices and RedisDestinations with these')
    .option(
      '--no-probe',
      'with objects: do not ask Redis hosts whether they are a Redis Cluster where no RedisDestination says it',
    )
    .addOption(clusterDomainOption())
    .optionsGroup('Without objects:')
    .addOption(
      inEnvironment(
        new Option(
          '--upstream <host:port>',
          'Redis: a node of a Redis Cluster, or with --mode proxy the name of plain servers',
        ).argParser(parseServers),
      ),
    )
    .addOption(
      inEnvironment(
        new Option('--mode <mode>', 'Redis Cluster, or plain servers')
          .choices(['cluster', 'proxy'])
          .default('cluster'),
      ),
    )
    .addOption(
      inEnvironment(
        new Option('--reads <host:port>', 'with --mode proxy: the replicas, for reads').argParser(
          parseServers,
        ),
      ),
    )
    .addOption(
      inEnvironment(
        new Option('--read-policy <policy>', 'who answers reads').choices(POLICIES).default('MASTER'),
      ),
    )
    .addOption(
      inEnvironment(
        new Option('--listen <host:port>', 'where clients connect; :PORT is every address')
          .argParser(parseListen)
          .default({ address: '127.0.0.1', port: 6_379 }, '127.0.0.1:6379'),
      ),
    )
    .addOption(
      inEnvironment(
        new Option(
          '--client-username <name>',
          'with --client-password-file: the user that clients must name (default: the user default)',
        ).argParser(parseUsername),
      ),
    )
    .addOption(
      inEnvironment(
        new Option('--client-password-file <path>', 'what clients must present').argParser(parseFile),
        { isEmptyWrong: true },
      ),
    )
    .addOption(
      inEnvironment(
        new Option(
          '--upstream-username <name>',
          'with --upstream-password-file: the user of Redis whose password it is (default: the user default)',
        ).argParser(parseUsername),
      ),
    )
    .addOption(
      inEnvironment(new Option('--upstream-password-file <path>', 'what Redis wants').argParser(parseFile), {
        isEmptyWrong: true,
      }),
    )
    .optionsGroup('Which node answers:')
    .addOption(
      inEnvironment(
        new Option(
          '--zone <zone>',
          'the zone this proxy is in: with zone affinity its nodes are read first',
        ).argParser(parseZone),
      ),
    )
    .addOption(
      inEnvironment(
        new Option(
          '--max-lag <duration>',
          'a replica that may be further behind gets no reads: 500ms to 1h (default: however far)',
        ).argParser(durationBetween(LAG)),
      ),
    )
    .addOption(
      inEnvironment(
        new Option(
          '--hedge-after <duration>',
          'a read unanswered for so long is asked elsewhere too; a number alone is milliseconds',
        )
          .argParser(durationBetween(WAIT))
          .default(PROXY_DEFAULTS.hedgeAfterMs, `${PROXY_DEFAULTS.hedgeAfterMs}ms`),
      ),
    )
    .addOption(
      inEnvironment(
        new Option(
          '--failover-wait <duration>',
          'how long a command waits while nobody can be asked; a number alone is milliseconds',
        )
          .argParser(durationBetween(WAIT))
          .default(PROXY_DEFAULTS.failoverWaitMs, `${PROXY_DEFAULTS.failoverWaitMs / 1_000}s`),
      ),
    )
    .optionsGroup('The process:')
    .addOption(
      inEnvironment(
        addressOption(
          '--admin-address <host:port>',
          'health, readiness, metrics, topology; :PORT is every address',
          '127.0.0.1:19001',
          parseListening,
        ),
      ),
    )
    .addOption(
      inEnvironment(
        new Option(
          '--log-slower-than <duration>',
          'a line for each command whose client waited so long, from 1ms on (default: none)',
        ).argParser(durationBetween({ ...WAIT, example: '100ms' })),
      ),
    )
    .addOption(
      inEnvironment(
        new Option('--max-clients <count>', 'more are turned away')
          .argParser(countUpTo(MOST_CLIENTS))
          .default(PROXY_DEFAULTS.maxClients),
      ),
    )
    .addOption(
      inEnvironment(
        new Option('--workers <count>', 'processes that share the load; more than one a core gains nothing')
          .argParser(countUpTo(MOST_WORKERS, `; more than one a core gains nothing, and there are ${CORES}`))
          .default(1),
      ),
    );
  command.optionsGroup('TLS, towards clients and the control plane:');
  addListenerTlsOptions(command);
  addTlsOptions(command, 'this proxy; read again when it connects', 'the control plane');
  const bare = bareDurations(command, 'failover-wait', 'hedge-after', 'log-slower-than');
  return command.optionsGroup('Options:').action(async (options: ProxyCommandOptions, command: Command) => {
    const log = createLog(String(command.opts()['logLevel']));
    tellUserSignals(log);
    const { adminAddress, workers } = options;
    // First of all: what is missing may be what they were meant for.
    if (workerNumber() === undefined) for (const line of misspeltVariables(command)) log.warn(line);
    // Before anything is started, also where other processes will do it: what is wrong is said once.
    const startSource = chooseSource(command, options);
    const files = listenerFiles(command, options);
    const room = roomForClients(options.maxClients, workers);
    if (workerNumber() === undefined) {
      for (const warning of [...bare, ...warningsOf(options), room.warning])
        if (warning !== undefined) log.warn(warning);
      if (workers > 1) {
        await superviseWorkers(workers, adminAddress, log);
        return endWithoutReader();
      }
    }
    const proxy = {
      hedgeAfterMs: options.hedgeAfter,
      failoverWaitMs: options.failoverWait,
      maxClients: room.maxClients,
      maxOwnClients: room.maxOwnClients,
      drainMs: PROXY_DEFAULTS.drainMs,
      zone: options.zone,
      maxLagMs: options.maxLag,
      logSlowerThanMs: options.logSlowerThan,
    };
    await carryOut({ proxy, listenerFiles: files, adminAddress, workers, startSource }, log);
    endWithoutReader();
  });
}

/** `before`: it was given already. */
function parseServers(text: string, before: SocketAddress | undefined): SocketAddress {
  if (before !== undefined)
    throw new InvalidArgumentError(
      'it is given twice; one node of a Redis Cluster names the others, plain servers have one name together',
    );
  const { host, port } = parseRemote(text);
  return { address: host, port };
}

/** As Redis has them (ACL SETUSER). */
function parseUsername(text: string): string {
  if (!/^[^\s\0]+$/.test(text)) throw new InvalidArgumentError('write the name of a user, without spaces');
  return text;
}

function parseZone(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('write the name of a zone');
  return text;
}

function parseListen(text: string): SocketAddress {
  const { host: address, port } = parseListening(text);
  return { address, port };
}
