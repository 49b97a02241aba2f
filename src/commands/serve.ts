/**
 * `redpilot serve`: the control plane, until it is told to stop.
 */
import type { BlockList } from 'node:net';

import { Command, InvalidArgumentError, Option } from 'commander';

import { parseDuration } from '../api/duration.ts';
import { tellNewer } from '../envoy/adapted-plan.ts';
import { ISTIO_DEFAULTS } from '../istio/envoy-filters.ts';
import { isReadWith } from '../sources/files/tree.ts';
import { thisReplica } from '../status/replica.ts';
import type { HostAndPort } from '../xds/index.ts';
import {
  addressOption,
  clusterDomainOption,
  collect,
  collectNamespaces,
  parseBind,
  parseExportTo,
  parseIstioNamespaces,
  parseListening,
  parseNamespace,
  parseNetworks,
  parsePriority,
  parseVersion,
} from './arguments.ts';
import { startControlPlane, type ControlPlaneOptions } from './control-plane.ts';
import { createLog } from './log.ts';
import { addTlsOptions, tlsFiles, type TlsArguments } from './tls-arguments.ts';
import { endWithoutReader, stopAsked } from './stop-asked.ts';
import { tellUserSignals } from './user-signals.ts';

interface ServeOptions extends TlsArguments {
  readonly config?: readonly string[];
  readonly state?: string;
  readonly kubernetes: boolean;
  readonly namespace?: readonly string[];
  readonly selector?: string;
  readonly istio: boolean;
  readonly istioNamespaces?: readonly string[];
  readonly istioRootNamespace: string;
  readonly istioPriority: number;
  readonly istioEnvoyVersion: string;
  readonly istioDrain: number;
  readonly xdsAddress: HostAndPort;
  readonly adminAddress: HostAndPort;
  readonly bind: string;
  readonly allowBind?: BlockList;
  readonly defaultExportTo: readonly string[];
  readonly clusterDomain: string;
  readonly insecure: boolean;
  readonly maxConnectionAge?: number;
  readonly probe: boolean;
  readonly adminTls: boolean;
}

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('serve the objects in files or in a cluster to Envoys over xDS, and follow every change')
    .optionsGroup('Where the objects are:')
    .option('--config <path...>', 'file or folder of objects; may be repeated', collect)
    .option(
      '--state <file>',
      'with --config: keeps what was last good there, without Secrets, so that it stays in force over a restart',
    )
    .option(
      '--kubernetes',
      'the objects of the cluster that KUBECONFIG names, in a pod those of its own',
      false,
    )
    .option('--namespace <name...>', 'with --kubernetes: only this one; may be repeated', collectNamespaces)
    .option('--selector <labels>', 'with --kubernetes: only RedisServices and RedisDestinations with these')
    .option(
      '--no-probe',
      'do not ask Redis hosts whether they are a Redis Cluster where no RedisDestination says it',
    )
    .addOption(clusterDomainOption())
    .optionsGroup('For Envoys:')
    .addOption(
      addressOption(
        '--xds-address <host:port>',
        'where Envoys connect; :PORT is every address',
        '127.0.0.1:18000',
        parseListening,
      ),
    )
    .option(
      '--max-connection-age <duration>',
      'end connections when they are about this old, so that Envoys spread over the servers (default: never)',
      (text: string) => parseAge(text, LEAST_CONNECTION_AGE_S),
    )
    .option(
      '--bind <address|auto>',
      "where listeners listen on the Envoys' machines; auto: a loopback address of its own for each host",
      parseBind,
      '127.0.0.1',
    )
    .option(
      '--allow-bind <cidr,...>',
      'where the annotation redpilot.dev/listen may make listeners listen beyond loopback',
      parseNetworks,
    )
    .option(
      '--default-export-to <namespace,...>',
      'whose clients an object governs that has no annotation redpilot.dev/export-to; . is its own namespace',
      parseExportTo,
      ['*'],
    )
    .optionsGroup('For sidecars of Istio:')
    .option('--istio', "with --kubernetes: EnvoyFilters too, for the sidecars of Istio's mesh", false)
    .option(
      '--istio-namespaces <namespace,...>',
      'whose sidecars objects of other namespaces may ask for (redpilot.dev/istio-namespaces); *: every namespace',
      parseIstioNamespaces,
    )
    .option(
      '--istio-root-namespace <name>',
      "Istio's, whose EnvoyFilters hold for the whole mesh",
      parseNamespace,
      ISTIO_DEFAULTS.rootNamespace,
    )
    .option(
      '--istio-priority <number>',
      'of the EnvoyFilters: higher ones see what lower ones did',
      parsePriority,
      ISTIO_DEFAULTS.priority,
    )
    .option(
      '--istio-envoy-version <version>',
      'of the oldest Envoy among the sidecars, 1.36 to 1.40; what it lacks is left out',
      parseVersion,
      ISTIO_DEFAULTS.envoyVersion,
    )
    .addOption(
      new Option(
        '--istio-drain <duration>',
        "how long clusters stay that nothing routes to: longer than sidecars drain connections (Istio's drainDuration)",
      )
        .argParser((text: string) => parseAge(text, 1))
        .default(ISTIO_DEFAULTS.drainMs, '60s'),
    )
    .optionsGroup('Who may connect, and as whom:')
    .addOption(
      addressOption(
        '--admin-address <host:port>',
        'health, readiness, metrics, config_dump; :PORT is every address',
        '127.0.0.1:19000',
        parseListening,
      ),
    )
    .option('--insecure', 'allow an xDS address beyond loopback without TLS', false)
    .option('--admin-tls', 'the admin too with TLS, for clients with a certificate only', false);
  addTlsOptions(command, 'this server; read again when it changes', 'Envoys');
  return command.optionsGroup('Options:').action(async (options: ServeOptions, command: Command) => {
    const log = createLog(String(command.opts()['logLevel']));
    tellUserSignals(log);
    const tls = tlsFiles(command, options);
    for (const { reason, message } of tellNewer(options.istioEnvoyVersion)) log.warn({ reason }, message);
    if (options.adminTls && tls === undefined)
      command.error('--admin-tls needs --tls-ca, --tls-cert and --tls-key');
    const controlPlane = await startControlPlane({
      ...(await sourceOf(options, command)),
      xdsAddress: options.xdsAddress,
      adminAddress: options.adminAddress,
      bindAddress: options.bind,
      allowBind: options.allowBind,
      defaultExportTo: options.defaultExportTo,
      clusterDomain: options.clusterDomain,
      tls,
      adminTls: options.adminTls ? tls : undefined,
      insecure: options.insecure,
      maxConnectionAgeMs: options.maxConnectionAge,
      probe: options.probe,
      log,
    });
    const stopped = stopAsked();
    const scheme = options.adminTls ? 'https' : 'http';
    log.info(`serving xDS on ${controlPlane.xdsAddress}, admin on ${scheme}://${controlPlane.adminAddress}`);
    await stopped;
    log.info('stopping');
    await controlPlane.close();
    endWithoutReader();
  });
}

/** An Envoy that comes back while a cluster is warming is given its clusters after a while (`UNASKED_LIMIT_MS`), or never. */
const LEAST_CONNECTION_AGE_S = 10;

function parseAge(text: string, leastSeconds: number): number {
  const { value, problem } = parseDuration(text);
  if (problem !== undefined) throw new InvalidArgumentError(problem);
  if (value < 1_000 * leastSeconds) throw new InvalidArgumentError(`write at least "${leastSeconds}s"`);
  return value;
}

/** One that says something of the mesh, and was given. */
function isOfIstio(option: Option, command: Command): boolean {
  const source = command.getOptionValueSource(option.attributeName());
  return option.long?.startsWith('--istio-') === true && source !== undefined && source !== 'default';
}

/** The call is wrong where the objects are in no place, or in two. */
async function sourceOf(
  options: ServeOptions,
  command: Command,
): Promise<Pick<ControlPlaneOptions, 'configPaths' | 'statePath' | 'kubernetes'>> {
  const { config, kubernetes, namespace = [], selector, state } = options;
  if (kubernetes === (config !== undefined)) {
    command.error('give either --config with a file or folder, or --kubernetes');
  }
  if (config !== undefined && (namespace.length > 0 || selector !== undefined)) {
    command.error('--namespace and --selector narrow what --kubernetes watches; remove them');
  }
  if (kubernetes && state !== undefined)
    command.error('--state goes with --config; --kubernetes keeps what was last good in the cluster');
  if (state !== undefined && config !== undefined && isReadWith(state, config))
    command.error('--state lies where --config reads objects; give a file outside of it');
  const { istio: withIstio, istioNamespaces, istioRootNamespace } = options;
  if (withIstio && config !== undefined)
    command.error('--istio writes to a cluster; give it with --kubernetes');
  const ofIstio = withIstio ? undefined : command.options.find((option) => isOfIstio(option, command));
  if (ofIstio !== undefined) command.error(`${ofIstio.long} goes with --istio`);
  if (config !== undefined) return { configPaths: config, statePath: state };
  // The client library takes half a second to load: only who needs it waits for that.
  const { loadCredentials } = await import('../sources/kubernetes/credentials.ts');
  const replica = thisReplica();
  const istio = withIstio
    ? {
        allowedNamespaces: istioNamespaces ?? [],
        rootNamespace: istioRootNamespace,
        priority: options.istioPriority,
        envoyVersion: options.istioEnvoyVersion,
        drainMs: options.istioDrain,
      }
    : undefined;
  return { kubernetes: { config: loadCredentials(), namespaces: namespace, selector, replica, istio } };
}
