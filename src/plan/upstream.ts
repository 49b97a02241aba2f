/**
 * One upstream: how a (host, port) is reached, in which mode, with which credentials.
 */
import type { Diagnostic } from '../api/diagnostic.ts';
import { addressOf } from '../api/host-port.ts';
import type {
  EndpointSlice,
  HostPort,
  Mode,
  RedisDestination,
  Service,
  ServiceEntry,
} from '../api/objects.ts';
import { isStandIn } from '../api/refused-destination.ts';
import type { Members, ModeQuestion } from '../world/observation.ts';
import type { WorldReader } from '../world/world-reader.ts';
import { compareAge, oldest, precedence } from './age.ts';
import { readCredentials, type KnownCredentials } from './credentials.ts';
import { lookupName, resolveHost, type Host } from './hosts.ts';
import { chooseMode } from './mode.ts';
import { Problems } from './problems.ts';
import type {
  ProxyServers,
  SocketAddress,
  Upstream,
  UpstreamBase,
  UpstreamId,
  UpstreamTls,
} from './routing-plan.ts';
import { readTls, type KnownTls } from './tls.ts';

/** A silent primary of a Redis Cluster costs as much as this. */
const DEFAULT_CONNECT_TIMEOUT_MS: Readonly<Record<Mode, number>> = { CLUSTER: 500, PROXY: 2_000 };

/** A place, as a route and the World name it. */
export interface Place {
  readonly host: Host;
  readonly port: number;
}

/** What an upstream is made of, beside what it looks up. */
export interface UpstreamSource extends Place {
  readonly id: UpstreamId;
  readonly destination: RedisDestination | undefined;
  /** In cluster mode: ask each node for its zone. */
  readonly discoverZones: boolean;
  /** Set where only reads go to it: the groups of servers by preference (the place's own among them). */
  readonly readGroups: readonly (readonly Place[])[] | undefined;
}

export interface PlannedUpstream {
  readonly upstream: Upstream;
  readonly mode: Mode;
  /** Nobody said the mode: it follows from the policies of those who route here. */
  readonly modeAssumed: boolean;
  /** The host says that it is a Redis Sentinel, which has no keys. */
  readonly isSentinel: boolean;
  /** What is to be asked of the host itself; undefined where an object says it, or it can't be asked. */
  readonly question: ModeQuestion | undefined;
  /** Of a Redis Cluster whose seeds stay the same when its servers are replaced. */
  readonly members: Members | undefined;
  /** It is closed for a mistake in that. */
  readonly refusedBy: RedisDestination | undefined;
  /** For the next time that the Secret can't be read. */
  readonly known: KnownCredentials | undefined;
  readonly knownTls: KnownTls | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** Which RedisDestination shapes the upstreams of a host for the RedisServices of that namespace. */
export function destinationFor(
  world: WorldReader,
  host: Host,
  namespace: string,
): RedisDestination | undefined {
  const all = world.destinations(host.key);
  return (
    oldest(all.filter((destination) => destination.namespace === namespace)) ??
    oldest(all.filter((destination) => destination.namespace === host.namespace))
  );
}

/** `HOST:PORT`. */
export function placeName({ host, port }: Place): string {
  return addressOf(host.id, port);
}

/** What its servers say of themselves is known by this: where each namespace means another host, by the namespace too. */
function observedPlace(place: Place): string {
  const { meantBy } = place.host;
  return meantBy === undefined ? placeName(place) : `${placeName(place)}@${meantBy}`;
}

/** `HOST:PORT`, and `@NAMESPACE` where what is meant, or the RedisDestination that shapes it, is that namespace's alone. */
export function upstreamId(host: Host, port: number, destination: RedisDestination | undefined): UpstreamId {
  const place = observedPlace({ host, port });
  if (host.meantBy !== undefined) return place;
  const shapedFrom = destination?.namespace;
  return shapedFrom === undefined || shapedFrom === host.namespace ? place : `${place}@${shapedFrom}`;
}

export function planUpstream(
  world: WorldReader,
  source: UpstreamSource,
  previous: PlannedUpstream | undefined,
): PlannedUpstream {
  const { id, host, destination } = source;
  const problems = new Problems();
  if (destination !== undefined) tellYoungerDestinations(world, host, destination, problems);

  const hasSeeds = destination !== undefined && destination.discoveryEndpoints.length > 0;
  const stated =
    source.readGroups === undefined ? (destination?.mode ?? (hasSeeds ? 'CLUSTER' : undefined)) : 'PROXY';
  const refusedBy = destination?.refused === undefined ? undefined : destination;
  const { mode, modeAssumed, isSentinel } = chooseMode(
    world,
    observedPlace(source),
    host,
    stated,
    previous?.mode,
  );

  const refusals: string[] = [];
  if (refusedBy !== undefined)
    refusals.push(`RedisDestination ${refusedBy.namespace}/${refusedBy.name} has a mistake`);
  let known: KnownCredentials | undefined;
  if (destination?.auth !== undefined) {
    const path = ['spec', 'trafficPolicy', 'connectionPool', 'redis', 'auth'];
    const outcome = readCredentials(world, destination, destination.auth, path, previous?.known, problems);
    if (outcome.kind === 'known') known = outcome.credentials;
    else refusals.push(outcome.why);
  }
  let tls: UpstreamTls | undefined;
  let knownTls: KnownTls | undefined;
  if (destination?.tls !== undefined) {
    const outcome = readTls(world, destination, destination.tls, host.dnsName, previous?.knownTls, problems);
    if (outcome.kind === 'known') ({ tls, known: knownTls } = outcome);
    else refusals.push(outcome.why);
  }
  const [why] = refusals;
  const upstream: Upstream =
    why === undefined
      ? reachable(world, source, mode, {
          connectTimeoutMs: destination?.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS[mode],
          credentials: known && { username: known.username, password: known.password },
          tls,
          keepalive: destination?.tcpKeepalive,
          maxConnections: destination?.maxConnections,
        })
      : { id, mode: 'unavailable', why };
  return {
    upstream,
    mode,
    modeAssumed: modeAssumed && refusedBy === undefined,
    isSentinel,
    refusedBy,
    question:
      stated === undefined && !source.discoverZones ? modeQuestion(world, source, upstream) : undefined,
    members: upstream.mode === 'cluster' ? members(world, source) : undefined,
    known,
    knownTls,
    diagnostics: problems.found,
  };
}

function reachable(
  world: WorldReader,
  source: UpstreamSource,
  mode: Mode,
  base: Omit<UpstreamBase, 'id'>,
): Upstream {
  const { id, host, port, destination, discoverZones, readGroups } = source;
  if (readGroups !== undefined) {
    const groups = readGroups.map((group) => group.map((place) => servers(world, place.host, place.port)));
    return { id, mode: 'reads', ...base, groups };
  }
  if (mode === 'PROXY') return { id, mode: 'proxy', ...base, servers: servers(world, host, port) };
  return {
    id,
    mode: 'cluster',
    ...base,
    seeds: seeds(world, host, port, destination),
    discoverZones,
    generation: world.generation(placeName(source)),
  };
}

/** Where its answer is expected does not depend on the mode: the answer itself must not change the question. */
function modeQuestion(world: WorldReader, place: Place, upstream: Upstream): ModeQuestion | undefined {
  if (upstream.mode === 'unavailable') return undefined;
  const { host, port } = place;
  const { service, entry } = host;
  const found = service === undefined ? entryEndpoints(entry, port) : endpointAddresses(world, service, port);
  const named = {
    address: lookupName(host),
    port: service === undefined ? port : dnsPort(world, service, port),
  };
  const addresses = found.length === 0 ? [named] : found.map(({ address, port }) => ({ address, port }));
  return { host: observedPlace(place), addresses, credentials: upstream.credentials, tls: upstream.tls };
}

function members(world: WorldReader, source: UpstreamSource): Members | undefined {
  const { host, port, destination } = source;
  const { service } = host;
  if (service === undefined || service.externalName !== undefined) return undefined;
  const hasStableSeeds = service.hasSelector || (destination?.discoveryEndpoints ?? []).length > 0;
  if (!hasStableSeeds) return undefined;
  const addresses = endpointAddresses(world, service, port).map(({ address, port }) => `${address}:${port}`);
  return { host: placeName(source), addresses };
}

/** One stable name where there is one: seeds that follow pods would rebuild the cluster at each restart. */
function seeds(
  world: WorldReader,
  host: Host,
  port: number,
  destination: RedisDestination | undefined,
): readonly SocketAddress[] {
  if (destination !== undefined && destination.discoveryEndpoints.length > 0) {
    return destination.discoveryEndpoints.map((seed) => statedSeed(world, seed, destination.namespace, port));
  }
  const { service, entry } = host;
  const listed = entryEndpoints(entry, port);
  if (listed.length > 0) return listed.map(({ address, port }) => ({ address, port }));
  if (service === undefined || service.hasSelector || service.externalName !== undefined) {
    return [
      { address: lookupName(host), port: service === undefined ? port : dnsPort(world, service, port) },
    ];
  }
  return endpointAddresses(world, service, port).map(({ address, port }) => ({ address, port }));
}

/** A Service by its full name: each node would look a short one up from its own namespace. */
function statedSeed(world: WorldReader, seed: HostPort, namespace: string, port: number): SocketAddress {
  const host = resolveHost(world, seed.host, namespace);
  if (host.service === undefined) return { address: seed.host, port: seed.port ?? port };
  return { address: lookupName(host), port: seed.port ?? dnsPort(world, host.service, port) };
}

/** A headless Service's name resolves to the pods, which listen on the target port; one that has a name is told by them only. */
function dnsPort(world: WorldReader, service: Service, port: number): number {
  if (!service.isHeadless) return port;
  const { targetPort } = service.ports.find((candidate) => candidate.port === port) ?? {};
  return targetPort ?? endpointAddresses(world, service, port)[0]?.port ?? port;
}

function servers(world: WorldReader, host: Host, port: number): ProxyServers {
  const { service, entry } = host;
  const listed = entryEndpoints(entry, port);
  if (listed.length === 0 && (service === undefined || service.externalName !== undefined))
    return { kind: 'dns', name: lookupName(host), port };
  // Ready or not: a pod that is unready for a moment would move its keys to the others.
  const found = service === undefined ? listed : endpointAddresses(world, service, port);
  const endpoints = found.map(({ address, port, targetName }) => ({
    address,
    port,
    hashKey: targetName ?? addressOf(address, port),
  }));
  return { kind: 'endpoints', endpoints };
}

interface FoundEndpoint extends SocketAddress {
  readonly targetName: string | undefined;
}

/** What a Service's EndpointSlices list for one of its ports: one address family, in a fixed order, none twice. */
export function endpointAddresses(
  world: WorldReader,
  service: Service,
  port: number,
): readonly FoundEndpoint[] {
  const portName = service.ports.find((candidate) => candidate.port === port)?.name ?? '';
  const slices = world.slices(service.namespace, service.name);
  const families: readonly EndpointSlice['addressType'][] = ['IPv4', 'IPv6', 'FQDN'];
  const family = families.find((type) => slices.some((slice) => slice.addressType === type));

  const found = new Map<string, FoundEndpoint>();
  for (const slice of slices) {
    if (slice.addressType !== family) continue;
    const target = slice.ports.find((candidate) => candidate.name === portName);
    if (target === undefined) continue;
    for (const { addresses, targetName } of slice.endpoints) {
      // Kubernetes' own rule: the addresses of one endpoint are interchangeable, the first is enough.
      const [address] = addresses;
      if (address === undefined) continue;
      found.set(`${address} ${target.port}`, { address, port: target.port, targetName });
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
}

/** Where a ServiceEntry says who answers for its host. */
function entryEndpoints(entry: ServiceEntry | undefined, port: number): readonly FoundEndpoint[] {
  const named = entry?.ports.find((candidate) => candidate.port === port);
  return (entry?.endpoints ?? []).map(({ address, ports }) => ({
    address,
    port: ports.get(named?.name ?? '') ?? named?.targetPort ?? port,
    targetName: undefined,
  }));
}

function tellYoungerDestinations(
  world: WorldReader,
  host: Host,
  winner: RedisDestination,
  problems: Problems,
): void {
  for (const other of world.destinations(host.key)) {
    if (other.namespace !== winner.namespace || compareAge(other, winner) <= 0 || isStandIn(other)) continue;
    problems.add(
      'error',
      'HostConflict',
      other,
      ['spec', 'host'],
      `RedisDestination ${winner.namespace}/${winner.name}, which ${precedence(winner, other)}, already describes ${host.id}; remove one of the two`,
    );
  }
}
