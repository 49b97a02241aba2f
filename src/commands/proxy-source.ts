/**
 * Where a proxy's plan comes from: a control plane, objects, or flags alone.
 */
import { hostname } from 'node:os';

import type { Command } from 'commander';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';

import type { ReadPolicy } from '../api/objects.ts';
import type { SocketAddress } from '../plan/routing-plan.ts';
import type { Proxy } from '../proxy/proxy.ts';
import { podNamespace } from '../status/replica.ts';
import type { WorldOptions } from '../world/world.ts';
import type { HostAndPort } from '../xds/index.ts';
import { followFlags } from './proxy-flags.ts';
import { tlsFiles, type TlsArguments } from './tls-arguments.ts';
import type { Memory } from './workers.ts';

export interface SourceOptions extends TlsArguments {
  readonly xdsAddress?: HostAndPort;
  readonly config?: readonly string[];
  readonly kubernetes: boolean;
  readonly upstream?: SocketAddress;
  readonly namespace?: string;
  readonly hosts?: readonly string[];
  readonly bind?: string;
  readonly allowBind?: WorldOptions['allowBind'];
  readonly clusterDomain: string;
  readonly zone?: string;
  readonly nodeId?: string;
  readonly watchNamespace?: readonly string[];
  readonly selector?: string;
  readonly probe: boolean;
  readonly mode: 'cluster' | 'proxy';
  readonly reads?: SocketAddress;
  readonly readPolicy: ReadPolicy;
  readonly listen: SocketAddress;
  readonly maxLag?: number;
  readonly adminAddress: HostAndPort;
  readonly clientUsername?: string;
  readonly clientPasswordFile?: string;
  readonly upstreamUsername?: string;
  readonly upstreamPasswordFile?: string;
}

const LOOPBACK = /^(?:localhost$|127\.|::1$)/;
const ALL = /^(?:0\.0\.0\.0|::)$/;

/** Names of the command's options. */
const SOURCES = ['xdsAddress', 'config', 'kubernetes', 'upstream'];
const FLAGS_OF_ONE_UPSTREAM = [
  'mode',
  'reads',
  'readPolicy',
  'listen',
  'clientUsername',
  'clientPasswordFile',
  'upstreamUsername',
  'upstreamPasswordFile',
];

/** Names of the options of the other sources, each with the sources that heed it. */
const HEEDED_BY: Readonly<Record<string, readonly string[]>> = {
  nodeId: ['xdsAddress'],
  namespace: ['xdsAddress', 'config', 'kubernetes'],
  hosts: ['xdsAddress', 'config', 'kubernetes'],
  bind: ['xdsAddress', 'config', 'kubernetes'],
  probe: ['config', 'kubernetes'],
  clusterDomain: ['config', 'kubernetes'],
  allowBind: ['config', 'kubernetes'],
};

export interface RunningSource {
  /** What the source itself waits for before there can be a plan. */
  waitingFor?(): string | undefined;
  close(): Promise<void>;
}

export type StartSource = (
  proxy: Proxy,
  log: Logger,
  metrics: Registry,
  memory: Memory | undefined,
) => Promise<RunningSource | undefined>;

/**
 * Ends the command as wrongly called where the plan is in no place, or in two. Each source is loaded only where it is wanted:
 * what one needs takes up to half a second, and tens of megabytes for good.
 */
export function chooseSource(command: Command, options: SourceOptions): StartSource {
  const { xdsAddress, config, kubernetes, upstream } = options;
  const named = givenSources(command);
  if (named.length !== 1) {
    const given = named.length === 0 ? '' : `; given are ${named.join(' and ')}`;
    command.error(
      `error: give one of --xds-address HOST:PORT, --config PATH, --kubernetes and --upstream HOST:PORT${given}`,
    );
  }
  const tls = tlsFiles(command, options);
  if (tls !== undefined && xdsAddress === undefined)
    command.error('error: --tls-ca, --tls-cert and --tls-key are for --xds-address; remove them');
  if (!kubernetes && (options.watchNamespace !== undefined || options.selector !== undefined))
    command.error('error: --watch-namespace and --selector narrow what --kubernetes watches; remove them');
  if (upstream === undefined) refuseFlagsOfOneUpstream(command);
  refuseUnheeded(command);
  const { listen, adminAddress } = options;
  if (
    upstream !== undefined &&
    listen.address === adminAddress.host &&
    listen.port === adminAddress.port &&
    listen.port !== 0
  )
    command.error('error: --listen and --admin-address are the same address; give one of them another port');
  if (upstream !== undefined && [upstream, options.reads].some((place) => place && isAt(place, listen)))
    command.error(
      'error: the proxy would be its own Redis: --listen is where --upstream or --reads leads; give another port with --listen',
    );
  const { namespace, hosts, bind, zone, nodeId = hostname() } = options;
  if (xdsAddress !== undefined) {
    const node = { id: nodeId, namespace, hosts, bind, zone };
    return async (proxy, log, metrics) => {
      const { followControlPlane } = await import('./proxy-xds.ts');
      return await followControlPlane(proxy, { xdsAddress, tls, node }, { log, metrics });
    };
  }
  if (config !== undefined) {
    return async (proxy, log, metrics) => {
      const { followFiles } = await import('./proxy-files.ts');
      return await followFiles(proxy, config, { ...options, log, metrics });
    };
  }
  if (upstream === undefined) return startKubernetes(command, options);
  const problem = readsProblem(options) ?? usernameProblem(options);
  if (problem !== undefined) command.error(`error: ${problem}`);
  return async (proxy, log, _metrics, memory) =>
    await followFlags(proxy, { ...options, upstream }, log, memory);
}

/** As they were given: who forgot a variable of the environment looks for it in vain among the flags. */
function givenSources(command: Command): readonly string[] {
  const options = command.options.filter((option) => SOURCES.includes(option.attributeName()));
  return options.flatMap((option) => {
    const source = command.getOptionValueSource(option.attributeName());
    if (source === 'env') return [`${option.envVar} (in the environment)`];
    return source === 'cli' ? [String(option.long)] : [];
  });
}

/** Else who asked for a password by flag would have a listener that is open. */
function refuseFlagsOfOneUpstream(command: Command): void {
  const given = FLAGS_OF_ONE_UPSTREAM.filter((name) =>
    ['cli', 'env'].includes(command.getOptionValueSource(name) ?? ''),
  );
  const flags = command.options.filter((option) => given.includes(option.attributeName()));
  if (flags.length === 0) return;
  const names = flags.map(({ long, envVar }) => `${long} (${envVar})`).join(', ');
  command.error(`error: ${names}: for --upstream only, elsewhere the objects say it; remove it`);
}

/** Else who narrows a proxy to some hosts, or to an address, would believe it. */
function refuseUnheeded(command: Command): void {
  const given = command.options.filter(
    (option) => command.getOptionValueSource(option.attributeName()) === 'cli',
  );
  const names = new Set(given.map((option) => option.attributeName()));
  for (const option of given) {
    const heededBy = HEEDED_BY[option.attributeName()];
    if (heededBy === undefined || heededBy.some((source) => names.has(source))) continue;
    const sources = command.options.filter((other) => heededBy.includes(other.attributeName()));
    const flags = sources.map(({ long }) => long).join(' or ');
    command.error(`error: ${option.long}: has an effect only with ${flags}; remove it`);
  }
}

function startKubernetes(command: Command, options: SourceOptions): StartSource {
  const { namespace = podNamespace(), watchNamespace: namespaces = [] } = options;
  // Without one everybody's objects would hold here.
  if (namespace === undefined)
    command.error('error: --kubernetes outside of a pod needs --namespace: whose objects hold here');
  return async (proxy, log, metrics) => {
    const { loadCredentials } = await import('../sources/kubernetes/credentials.ts');
    const { followKubernetes } = await import('./proxy-kubernetes.ts');
    const config = loadCredentials();
    return followKubernetes(proxy, { ...options, config, namespace, namespaces, log, metrics });
  };
}

/** Whether who connects to `place` reaches what listens there, as far as its name tells. */
function isAt(place: SocketAddress, listen: SocketAddress): boolean {
  if (place.port !== listen.port) return false;
  if (place.address === listen.address) return true;
  if (!LOOPBACK.test(place.address)) return false;
  return ALL.test(listen.address) || (place.address === 'localhost' && LOOPBACK.test(listen.address));
}

/** A name alone lets nobody in, and would keep nobody out. */
function usernameProblem({
  clientUsername,
  clientPasswordFile,
  upstreamUsername,
  upstreamPasswordFile,
}: SourceOptions): string | undefined {
  if (clientUsername !== undefined && clientPasswordFile === undefined)
    return '--client-username goes with a password: add --client-password-file, or remove it';
  if (upstreamUsername !== undefined && upstreamPasswordFile === undefined)
    return '--upstream-username goes with a password: add --upstream-password-file, or remove it';
  return undefined;
}

/** Replicas that nobody would read from. */
function readsProblem({ reads, mode, readPolicy }: SourceOptions): string | undefined {
  if (reads === undefined) return undefined;
  if (mode === 'cluster') {
    return '--reads is for plain servers, a Redis Cluster names its replicas itself: add --mode proxy, or remove --reads';
  }
  if (readPolicy !== 'MASTER') return undefined;
  return '--reads has no effect under the read policy MASTER: add --read-policy REPLICA (or another)';
}

/** In force, but not as one might think: objects get warnings for that too. */
export function warningsOf(options: SourceOptions): readonly string[] {
  const { upstream, mode, reads, readPolicy, zone, maxLag } = options;
  if (upstream === undefined || mode !== 'proxy') return [];
  const warnings: string[] = [];
  if (readPolicy !== 'MASTER' && reads === undefined)
    warnings.push(
      `--read-policy ${readPolicy} has no effect: all reads go to the servers of --upstream, since with --mode proxy no others are known; name their replicas with --reads, or write --mode cluster for a Redis Cluster`,
    );
  if (reads !== undefined && reads.address === upstream.address && reads.port === upstream.port)
    warnings.push(
      '--reads is where --upstream leads, so reads go to the primary; name its replicas with --reads, or leave it out',
    );
  if (maxLag !== undefined && reads === undefined)
    warnings.push('--max-lag has no effect: with --mode proxy only the servers of --reads can be behind');
  if (zone !== undefined)
    warnings.push('--zone has no effect: with --mode proxy servers are not chosen by their zone');
  return warnings;
}
