/**
 * Where the routes of one RedisService lead: each (host, port) as a planned upstream, with what is to say about it.
 */
import type { FieldPath } from '../api/diagnostic.ts';
import type { HostPort, Mode, RedisDestination, RedisService } from '../api/objects.ts';
import type { WorldReader } from '../world/world-reader.ts';
import { resolveHost, type Host } from './hosts.ts';
import { routePort } from './ports.ts';
import type { Problems } from './problems.ts';
import { readGroups } from './read-groups.ts';
import type { ProxyServers, Upstream } from './routing-plan.ts';
import { sameContent } from './same-content.ts';
import {
  destinationFor,
  placeName,
  upstreamId,
  type Place,
  type PlannedUpstream,
  type UpstreamSource,
} from './upstream.ts';

/** Plans an upstream, or gives the one already planned from the same source. */
export type UpstreamPlanner = (source: UpstreamSource) => PlannedUpstream;

export interface Target {
  readonly place: Place;
  readonly destination: RedisDestination | undefined;
  readonly planned: PlannedUpstream;
}

export class Targets {
  readonly #world: WorldReader;
  readonly #service: RedisService;
  readonly #planUpstream: UpstreamPlanner;
  readonly #problems: Problems;
  readonly #planned = new Map<string, PlannedUpstream>();
  readonly #destinations = new Set<RedisDestination>();
  readonly #told = new Set<string>();

  constructor(world: WorldReader, service: RedisService, planUpstream: UpstreamPlanner, problems: Problems) {
    this.#world = world;
    this.#service = service;
    this.#planUpstream = planUpstream;
    this.#problems = problems;
  }

  /** All that were asked for. */
  get planned(): readonly PlannedUpstream[] {
    return [...this.#planned.values()];
  }

  /** That shape them. */
  get destinations(): readonly RedisDestination[] {
    return [...this.#destinations];
  }

  /** `path`: of the host in the object. undefined: what is wrong has been told, and blocks the object. */
  target(to: HostPort, listener: Place, path: FieldPath, discoverZones: boolean): Target | undefined {
    const place = this.#place(to, listener, path);
    if (place === undefined) return undefined;
    const { host, port } = place;
    const destination = destinationFor(this.#world, host, this.#service.namespace);
    const source: UpstreamSource = {
      id: upstreamId(host, port, destination),
      host,
      port,
      destination,
      discoverZones: false,
      readGroups: undefined,
    };
    let planned = this.#planUpstream(source);
    if (discoverZones && planned.upstream.mode === 'cluster') {
      // A cluster of its own: asking for zones costs every node an INFO at each refresh, and is not everybody's wish.
      planned = this.#planUpstream({ ...source, id: `${source.id}+zones`, discoverZones: true });
    }
    if (planned.upstream.mode === 'cluster' && planned.upstream.seeds.length === 0) {
      this.#blockWithoutEndpoints(place, path);
      return undefined;
    }
    this.#use(planned, place, path);
    if (destination !== undefined) this.#destinations.add(destination);
    return { place, destination, planned };
  }

  /** Where reads of a primary go that is no Redis Cluster; undefined: to the primary, or what is wrong blocks. */
  reads(primary: Target, to: HostPort, listener: Place, path: FieldPath): Target | undefined {
    const place = this.#place(to, listener, path);
    const { readPolicy, namespace } = this.#service;
    if (place === undefined) return undefined;
    if (placeName(place) === placeName(primary.place)) {
      const message = `${placeName(place)} is the primary itself; name the Service of its replicas, or remove reads`;
      this.#problems.block('InvalidValue', this.#service, path, message);
      return undefined;
    }
    if (readPolicy === 'MASTER') return undefined;
    // The primary's way holds for its replicas too, unless they have one of their own.
    const destination = destinationFor(this.#world, place.host, namespace) ?? primary.destination;
    const planned = this.#planUpstream({
      id: `reads/${readPolicy}/${primary.planned.upstream.id}/${upstreamId(place.host, place.port, destination)}`,
      ...place,
      destination,
      discoverZones: false,
      readGroups: readGroups(readPolicy, primary.place, place),
    });
    const problem =
      readPolicy === 'REPLICA' ? undefined : this.#whyNotTogether(primary, destination, planned.upstream);
    if (problem !== undefined) {
      this.#problems.block(
        'InvalidValue',
        this.#service,
        path,
        `with ${readPolicy} reads go to the primary too, ${problem}`,
      );
      return undefined;
    }
    const isClosed = primary.planned.upstream.mode === 'unavailable';
    if (readPolicy !== 'REPLICA' && isClosed && destination !== primary.destination) return undefined;
    if (destination !== undefined) this.#destinations.add(destination);
    // What is to say of a shared destination is said with the primary.
    this.#use(destination === primary.destination ? { ...planned, diagnostics: [] } : planned, place, path);
    return { place, destination, planned };
  }

  /** Both are one upstream to Envoy, with one password and one TLS name. */
  #whyNotTogether(
    primary: Target,
    destination: RedisDestination | undefined,
    upstream: Upstream,
  ): string | undefined {
    // Closed, whatever the primary is.
    if (destination?.refused !== undefined) return undefined;
    if (destination === primary.destination) {
      const { tls } = destination ?? {};
      return tls === undefined || tls.serverName !== undefined || tls.insecureSkipVerify
        ? undefined
        : 'so that the certificates of both are looked at for one name; write serverName, a name that is in both';
    }
    return primary.planned.upstream.mode === 'unavailable' ||
      isReachedAlike(primary.planned.upstream, upstream)
      ? undefined
      : 'which has other credentials or TLS; give both hosts the same in their RedisDestinations, or write REPLICA';
  }

  tellMissingService(host: Host, path: FieldPath): void {
    if (host.missingService === undefined || this.#told.has(host.key)) return;
    this.#told.add(host.key);
    if (this.#world.knowsAllServicesOf(host.namespace ?? '')) {
      const message = `there is no Service ${host.missingService}; create it, or correct the host`;
      this.#problems.block('HostNotFound', this.#service, path, message);
      return;
    }
    // Nobody looks the name up where an object says at which addresses the host's Redis Cluster begins.
    const destination = destinationFor(this.#world, host, this.#service.namespace);
    if (destination !== undefined && destination.discoveryEndpoints.length > 0) return;
    const message = `there is no Service ${host.missingService}; ${host.dnsName} is taken as a DNS name. Add the Service if it is one`;
    this.#problems.add('warning', 'HostNotFound', this.#service, path, message);
  }

  #place(to: HostPort, listener: Place, path: FieldPath): Place | undefined {
    const host = resolveHost(this.#world, to.host, this.#service.namespace);
    this.tellMissingService(host, path);
    const found = routePort(host, to.port, listener);
    if ('port' in found) return { host, port: found.port };
    const at = to.port === undefined ? path : [...path.slice(0, -1), 'port'];
    this.#problems.block('PortNotFound', this.#service, at, found.problem);
    return undefined;
  }

  /** Remembers it, and tells once what clients will notice. */
  #use(planned: PlannedUpstream, place: Place, path: FieldPath): void {
    const { upstream, mode, refusedBy } = planned;
    const { id } = upstream;
    const name = placeName(place);
    if (!this.#planned.has(id)) this.#planned.set(id, planned);
    if (this.#told.has(id)) return;
    this.#told.add(id);
    if (upstream.mode === 'unavailable') {
      const message =
        refusedBy === undefined
          ? `Redis at ${name} wants a password or certificates that were never known; commands for it are answered with an error`
          : `RedisDestination ${refusedBy.namespace}/${refusedBy.name} has a mistake, and ${name} must not be reached without the TLS or the password that it may ask for; ` +
            'commands for it are answered with an error until that is mended';
      this.#problems.add('error', 'CredentialsUnavailable', this.#service, path, message);
    }
    if (isEmpty(upstream)) {
      const message = `no EndpointSlice lists an address for ${name}; commands for it are answered with an error until one does`;
      this.#problems.add('warning', 'HostNotFound', this.#service, path, message);
    }
    if (planned.isSentinel) {
      const message = `${name} is a Redis Sentinel, which has no keys; write the host of the Redis that it watches`;
      this.#problems.add('warning', 'InvalidValue', this.#service, path, message);
    }
    if (planned.modeAssumed) this.#tellModeAssumed(mode, name, path);
  }

  #blockWithoutEndpoints({ host, port }: Place, path: FieldPath): void {
    const { service } = host;
    if (service === undefined) return;
    const slices = this.#world.slices(service.namespace, service.name);
    const name = `Service ${service.namespace}/${service.name}`;
    const message =
      slices.length === 0
        ? `${name} has no selector and no EndpointSlice; add one with the label kubernetes.io/service-name: ${service.name}`
        : `no EndpointSlice of ${name} lists an address for port ${port}; ` +
          'give the slice a port of the same name as the Service';
    this.#problems.block('HostNotFound', this.#service, path, message);
  }

  #tellModeAssumed(mode: Mode, name: string, path: FieldPath): void {
    const what = mode === 'CLUSTER' ? 'a Redis Cluster' : 'plain Redis servers';
    const message = `${name} is taken for ${what}; say so with a RedisDestination (trafficPolicy.connectionPool.redis.mode)`;
    this.#problems.add('note', 'ModeAssumed', this.#service, path, message);
  }
}

function isReachedAlike(a: Upstream, b: Upstream): boolean {
  if (a.mode === 'unavailable' || b.mode === 'unavailable') return a.mode === b.mode;
  return sameContent([a.credentials, a.tls], [b.credentials, b.tls]);
}

/** Nobody is there to send a command to, as far as is known. */
export function isEmpty(upstream: Upstream): boolean {
  const nobody = (servers: ProxyServers): boolean =>
    servers.kind === 'endpoints' && servers.endpoints.length === 0;
  switch (upstream.mode) {
    case 'proxy':
      return nobody(upstream.servers);
    case 'reads':
      return upstream.groups.flat().every(nobody);
    case 'cluster':
    case 'unavailable':
      return false;
  }
}
