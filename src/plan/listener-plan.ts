/**
 * One listener of a RedisService: its routes and how it treats commands.
 */
import type { FieldPath, ObjectRef } from '../api/diagnostic.ts';
import type { MirrorRule, RedisService, RouteRule } from '../api/objects.ts';
import type { WorldReader } from '../world/world-reader.ts';
import type { Problems } from './problems.ts';
import type {
  ClientAuth,
  Listener,
  Mirror,
  PrefixRoute,
  PrefixRoutes,
  Route,
  SocketAddress,
} from './routing-plan.ts';
import { isEmpty, type Target, type Targets } from './targets.ts';
import { placeName, type Place } from './upstream.ts';

export interface ListenerContext {
  readonly world: WorldReader;
  readonly service: RedisService;
  readonly origin: ObjectRef;
  readonly targets: Targets;
  readonly problems: Problems;
  readonly clientAuth: ClientAuth;
}

/** `hostIndex`: of the host in spec.host. */
export function planListener(
  context: ListenerContext,
  place: Place,
  hostIndex: number,
  listen: SocketAddress | undefined,
): Listener {
  const { service, origin, clientAuth } = context;
  const planning = new RoutesPlanning(context, place);
  const routes = planning.routes(hostIndex);
  const { annotations } = service;
  return {
    id: placeName(place),
    host: place.host.id,
    port: place.port,
    protocol: annotations.protocol,
    clientAuth,
    // On plain servers the policy would only add a READONLY to each connection (Envoy 1.40).
    readPolicy: planning.hasShards ? service.readPolicy : 'MASTER',
    // With MASTER there is nothing to choose.
    zoneAffinity: planning.hasShards && annotations.zoneAffinity && service.readPolicy !== 'MASTER',
    routes,
    faults: service.faults,
    opTimeoutMs: service.opTimeoutMs,
    followRedirections: service.enableRedirection ?? planning.hasShards,
    hashTags: service.enableHashtagging,
    commandStats: service.enableCommandStats,
    batching: service.batching,
    maxUnknownConnections: service.maxUpstreamUnknownConnections,
    leadsToPlainServers: planning.hasPlainServers,
    isUnguarded: !annotations.guards,
    listen,
    ...reach(context, place),
    origin,
    originCreatedMs: service.createdMs,
  };
}

function reach(
  { world, service, problems }: ListenerContext,
  { host }: Place,
): Pick<Listener, 'onlyNamespaces' | 'isConsumers'> {
  const { namespace, annotations } = service;
  if (host.namespace !== namespace) {
    if (annotations.exportTo !== undefined) {
      const path = ['metadata', 'annotations', 'redpilot.dev/export-to'];
      const message = `has no effect for ${host.id}, which is not of this namespace: there the object governs clients of ${namespace} only; remove it`;
      problems.add('warning', 'InvalidValue', service, path, message);
    }
    return { onlyNamespaces: [namespace], isConsumers: true };
  }
  const reached = writtenOut(annotations.exportTo ?? world.options.defaultExportTo, namespace);
  // Those that do not see the ServiceEntry mean something else by the name.
  const seeing = writtenOut(host.entry?.exportTo?.concat('.'), namespace);
  const onlyNamespaces =
    seeing && reached ? reached.filter((name) => seeing.includes(name)) : (reached ?? seeing);
  if (seeing !== undefined && onlyNamespaces?.length === 0) {
    const path = ['metadata', 'annotations', 'redpilot.dev/export-to'];
    const message = `leaves nobody who gets the object: its ServiceEntry is seen by ${seeing.join(', ')} only; name one of these`;
    problems.add('warning', 'InvalidValue', service, path, message);
  }
  return { onlyNamespaces, isConsumers: false };
}

/** `exportTo` as the names of namespaces; undefined: all of them. */
function writtenOut(exportTo: readonly string[] | undefined, own: string): readonly string[] | undefined {
  if (exportTo === undefined || exportTo.includes('*')) return undefined;
  return [...new Set(exportTo.map((name) => (name === '.' ? own : name)))].sort();
}

class RoutesPlanning {
  readonly #context: ListenerContext;
  readonly #place: Place;
  readonly #used: Target[] = [];
  #hasReads = false;

  constructor(context: ListenerContext, place: Place) {
    this.#context = context;
    this.#place = place;
  }

  /** Some route leads to a Redis Cluster. */
  get hasShards(): boolean {
    return this.#used.some(({ planned }) => planned.mode === 'CLUSTER');
  }

  get hasPlainServers(): boolean {
    return this.#used.some(({ planned }) => planned.mode === 'PROXY');
  }

  routes(hostIndex: number): PrefixRoutes {
    const { service, problems } = this.#context;
    const prefixes: PrefixRoute[] = [];
    let catchAll: Route | undefined;
    if (service.rules.length === 0) {
      const own = { host: service.hosts[hostIndex] ?? '', port: this.#place.port };
      const target = this.#target(own, ['spec', 'host', hostIndex]);
      catchAll = target && { upstream: target.planned.upstream.id, reads: undefined, mirrors: [] };
    }
    for (const [index, rule] of service.rules.entries()) {
      const route = this.#route(rule, ['spec', 'redis', index]);
      if (route === undefined) continue;
      if (rule.prefix === '') catchAll = route;
      else prefixes.push({ prefix: rule.prefix, removePrefix: rule.removePrefix, ...route });
    }
    if (!problems.blocking) this.#tellUselessPolicy();
    return {
      prefixes: prefixes.sort((a, b) => (a.prefix < b.prefix ? -1 : 1)),
      catchAll,
      caseInsensitive: service.caseInsensitive,
    };
  }

  #target(
    to: { readonly host: string; readonly port: number | undefined },
    path: FieldPath,
  ): Target | undefined {
    const { service, targets } = this.#context;
    const target = targets.target(to, this.#place, path, wantsZones(service));
    if (target !== undefined) this.#used.push(target);
    return target;
  }

  #route(rule: RouteRule, path: FieldPath): Route | undefined {
    const target = this.#target(rule, [...path, 'route', 'host']);
    if (target === undefined) return undefined;
    const reads = rule.reads && this.#reads(target, rule.reads, [...path, 'route', 'reads']);
    const mirrors = rule.mirrors.flatMap(
      (mirror, index) => this.#mirror(target, mirror, [...path, 'mirror', index]) ?? [],
    );
    return { upstream: target.planned.upstream.id, reads: reads?.planned.upstream.id, mirrors };
  }

  #reads(primary: Target, to: NonNullable<RouteRule['reads']>, path: FieldPath): Target | undefined {
    const { service, targets, problems } = this.#context;
    const { mode, upstream } = primary.planned;
    if (mode === 'CLUSTER') {
      const message = `has no effect, since ${placeName(primary.place)} is a Redis Cluster, whose replicas it names itself; remove it, or say mode PROXY in a RedisDestination of the host`;
      problems.add('warning', 'InvalidValue', service, path, message);
      return undefined;
    }
    this.#hasReads = true;
    if (
      upstream.mode === 'proxy' &&
      upstream.servers.kind === 'endpoints' &&
      upstream.servers.endpoints.length > 1
    ) {
      const count = upstream.servers.endpoints.length;
      const message = `needs one primary, and ${placeName(primary.place)} has ${count} endpoints: replicas would be asked for keys of another one; route to a Service of the primary alone`;
      problems.block('InvalidValue', service, path, message);
      return undefined;
    }
    return targets.reads(primary, to, this.#place, [...path, 'host']);
  }

  #mirror(route: Target, rule: MirrorRule, path: FieldPath): Mirror | undefined {
    const { service, targets, problems } = this.#context;
    if (rule.percentage === 0) return undefined;
    const hostPath = [...path, 'route', 'host'];
    const target = targets.target(rule, this.#place, hostPath, false);
    if (target === undefined) return undefined;
    const { upstream } = target.planned;
    if (placeName(target.place) === placeName(route.place)) {
      const message = `${placeName(target.place)} is where the commands go anyway, and a copy would count every INCR twice; name another host or port`;
      problems.block('InvalidValue', service, hostPath, message);
      return undefined;
    }
    // Transactions would crash Envoy, or wait for ever, where a mirror has nobody to answer.
    if (service.annotations.guards && (isEmpty(upstream) || upstream.mode === 'unavailable')) {
      const message = `${upstream.id} has nobody to send copies to; the mirror is left out until it has`;
      problems.add('note', 'GuardInForce', service, path, message);
      return undefined;
    }
    return { upstream: upstream.id, percentage: rule.percentage, excludeReads: rule.excludeReadCommands };
  }

  #tellUselessPolicy(): void {
    const { service, problems } = this.#context;
    const { readPolicy } = service;
    if (readPolicy === 'MASTER' || this.hasShards || this.#hasReads) return;
    const message =
      `${readPolicy} has no effect, since none of the routes leads to a Redis Cluster or has reads; write MASTER, ` +
      'say mode CLUSTER in a RedisDestination of the host, or name its replicas in route.reads';
    problems.add('warning', 'PolicyWithoutReplicas', service, ['spec', 'settings', 'readPolicy'], message);
  }
}

/** Envoy's policies of zones fit these two only. */
function wantsZones({ annotations, readPolicy }: RedisService): boolean {
  return annotations.zoneAffinity && (readPolicy === 'PREFER_REPLICA' || readPolicy === 'ANY');
}
