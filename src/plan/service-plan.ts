/**
 * One RedisService: its listeners, the upstreams they route to, and what is to say about it.
 */
import type { Diagnostic, FieldPath, ObjectRef } from '../api/diagnostic.ts';
import { hostKey } from '../api/host-name.ts';
import type { RedisService } from '../api/objects.ts';
import type { WorldReader } from '../world/world-reader.ts';
import { compareAge } from './age.ts';
import { readCredentials, type KnownCredentials } from './credentials.ts';
import { resolveHost, type Host } from './hosts.ts';
import { listenerPorts, routePort } from './ports.ts';
import { Problems } from './problems.ts';
import type { ClientAuth, Listener, PrefixRoute, Route, Upstream } from './routing-plan.ts';
import { reuse } from './same-content.ts';
import { destinationFor, upstreamId, type PlannedUpstream, type UpstreamSource } from './upstream.ts';

export interface ServicePlan {
  readonly origin: ObjectRef;
  readonly listeners: readonly Listener[];
  readonly upstreams: readonly Upstream[];
  readonly diagnostics: readonly Diagnostic[];
  /** The object can't be put in force as it is now: listeners and upstreams are those of its last good plan. */
  readonly isLastGood: boolean;
  readonly knownClientAuth: KnownCredentials | undefined;
}

/** Plans an upstream, or gives the one already planned from the same source. */
export type UpstreamPlanner = (source: UpstreamSource) => PlannedUpstream;

export function planService(
  world: WorldReader,
  service: RedisService,
  planUpstream: UpstreamPlanner,
  previous: ServicePlan | undefined,
): ServicePlan {
  const planning = new ServicePlanning(world, service, planUpstream, previous);
  return planning.plan();
}

class ServicePlanning {
  readonly #world: WorldReader;
  readonly #service: RedisService;
  readonly #planUpstream: UpstreamPlanner;
  readonly #previous: ServicePlan | undefined;
  readonly #problems = new Problems();
  readonly #upstreams = new Map<string, PlannedUpstream>();
  readonly #told = new Set<string>();

  constructor(
    world: WorldReader,
    service: RedisService,
    planUpstream: UpstreamPlanner,
    previous: ServicePlan | undefined,
  ) {
    this.#world = world;
    this.#service = service;
    this.#planUpstream = planUpstream;
    this.#previous = previous;
  }

  plan(): ServicePlan {
    const service = this.#service;
    const previous = this.#previous;
    const origin: ObjectRef = { kind: service.kind, namespace: service.namespace, name: service.name };
    const { clientAuth, known } = this.#clientAuth();
    const planned = this.#listeners(origin, clientAuth);

    if (this.#problems.blocking) {
      if (previous !== undefined && previous.listeners.length > 0) {
        const kept = 'what was last good stays in force until this is mended';
        this.#problems.add('warning', 'LastGoodKept', service, [], kept);
        return { ...previous, diagnostics: this.#problems.found, isLastGood: true };
      }
      return {
        origin,
        listeners: [],
        upstreams: [],
        diagnostics: this.#problems.found,
        isLastGood: false,
        knownClientAuth: known,
      };
    }
    for (const { diagnostics } of this.#upstreams.values()) this.#problems.addAll(diagnostics);
    return {
      origin,
      listeners: planned.map((listener) =>
        reuse(
          previous?.listeners.find(({ id }) => id === listener.id),
          listener,
        ),
      ),
      upstreams: [...this.#upstreams.values()].map(({ upstream }) => upstream),
      diagnostics: this.#problems.found,
      isLastGood: false,
      knownClientAuth: known,
    };
  }

  #clientAuth(): { readonly clientAuth: ClientAuth; readonly known: KnownCredentials | undefined } {
    const service = this.#service;
    if (service.auth === undefined) return { clientAuth: { kind: 'none' }, known: undefined };
    const path = ['spec', 'settings', 'auth'];
    const lastKnown = this.#previous?.knownClientAuth;
    const outcome = readCredentials(this.#world, service, service.auth, path, lastKnown, this.#problems);
    if (outcome.kind === 'known') {
      const { username, password } = outcome.credentials;
      return { clientAuth: { kind: 'password', username, password }, known: outcome.credentials };
    }
    this.#problems.add(
      'error',
      'CredentialsUnavailable',
      service,
      path,
      'the password that clients must present was never known; every command is answered with an error until it is',
    );
    return { clientAuth: { kind: 'unavailable', why: outcome.why }, known: undefined };
  }

  #listeners(origin: ObjectRef, clientAuth: ClientAuth): readonly Listener[] {
    const service = this.#service;
    const listeners: Listener[] = [];
    const seen = new Map<string, number>();
    for (const [index, text] of service.hosts.entries()) {
      const path = ['spec', 'host', index];
      const host = resolveHost(this.#world, text, service.namespace);
      const first = seen.get(host.key);
      if (first !== undefined) {
        this.#problems.block(
          'Duplicate',
          service,
          path,
          `"${text}" is the same host as spec.host[${first}]; remove one`,
        );
        continue;
      }
      seen.set(host.key, index);
      this.#tellMissingService(host, path);
      const found = listenerPorts(host, service, (name) =>
        hostKey(name, service.namespace, this.#world.clusterDomain),
      );
      if ('problem' in found) {
        this.#problems.block('PortNotFound', service, path, found.problem);
        continue;
      }
      for (const port of found.ports) {
        const older = this.#olderClaim(host, port);
        if (older === undefined) {
          listeners.push(this.#listener(host, port, path, origin, clientAuth));
        } else {
          const message =
            `${host.id}:${port} is already governed by RedisService ${older.namespace}/${older.name}, which is older; ` +
            'remove the host from one of the two';
          this.#problems.add('error', 'HostConflict', service, path, message);
        }
      }
    }
    return listeners;
  }

  /** Objects in the host's own namespace compete with each other, and so do those of any other namespace. */
  #olderClaim(host: Host, port: number): RedisService | undefined {
    const service = this.#service;
    return this.#world
      .claims(host.key)
      .filter((claim) => claim.namespace === service.namespace && compareAge(claim, service) < 0)
      .find((claim) => {
        const keyOf = (name: string): string => hostKey(name, claim.namespace, this.#world.clusterDomain);
        const ports = listenerPorts(host, claim, keyOf);
        return 'ports' in ports && ports.ports.includes(port);
      });
  }

  #listener(host: Host, port: number, path: FieldPath, origin: ObjectRef, clientAuth: ClientAuth): Listener {
    const service = this.#service;
    const prefixes: PrefixRoute[] = [];
    const used: PlannedUpstream[] = [];
    let catchAll: Route | undefined;

    const routeTo = (text: string, stated: number | undefined, at: FieldPath): Route | undefined => {
      const planned = this.#upstream(text, stated, { host, port }, at);
      if (planned === undefined) return undefined;
      used.push(planned);
      return { upstream: planned.upstream.id };
    };
    if (service.rules.length === 0)
      catchAll = routeTo(service.hosts[Number(path.at(-1))] ?? host.id, port, path);
    for (const [index, rule] of service.rules.entries()) {
      const route = routeTo(rule.host, rule.port, ['spec', 'redis', index, 'route', 'host']);
      if (route === undefined) continue;
      if (rule.prefix === '') catchAll = route;
      else prefixes.push({ prefix: rule.prefix, removePrefix: rule.removePrefix, ...route });
    }

    const hasShards = used.some(({ mode }) => mode === 'CLUSTER');
    if (!hasShards && service.readPolicy !== 'MASTER' && !this.#problems.blocking)
      this.#tellPolicyWithoutReplicas();
    return {
      id: upstreamId(host, port, undefined),
      host: host.id,
      port,
      clientAuth,
      // On plain servers the policy would only add a READONLY to each connection (Envoy 1.40).
      readPolicy: hasShards ? service.readPolicy : 'MASTER',
      routes: { prefixes: prefixes.sort((a, b) => (a.prefix < b.prefix ? -1 : 1)), catchAll },
      opTimeoutMs: service.opTimeoutMs,
      followRedirections: service.enableRedirection ?? hasShards,
      onlyNamespace: host.namespace === service.namespace ? undefined : service.namespace,
      origin,
      originCreatedMs: service.createdMs,
    };
  }

  #upstream(
    text: string,
    statedPort: number | undefined,
    listener: { readonly host: Host; readonly port: number },
    path: FieldPath,
  ): PlannedUpstream | undefined {
    const service = this.#service;
    const host = resolveHost(this.#world, text, service.namespace);
    this.#tellMissingService(host, path);
    const found = routePort(host, statedPort, listener);
    if ('problem' in found) {
      const at = statedPort === undefined ? path : [...path.slice(0, -1), 'port'];
      this.#problems.block('PortNotFound', service, at, found.problem);
      return undefined;
    }
    const destination = destinationFor(this.#world, host, service.namespace);
    const id = upstreamId(host, found.port, destination);
    const planned = this.#planUpstream({ id, host, port: found.port, destination });
    const { upstream } = planned;
    if (upstream.mode === 'cluster' && upstream.seeds.length === 0) {
      this.#blockWithoutEndpoints(host, found.port, path);
      return undefined;
    }
    this.#upstreams.set(id, planned);
    if (this.#told.has(id)) return planned;
    this.#told.add(id);
    if (upstream.mode === 'unavailable') {
      const message = `Redis at ${id} wants a password that was never known; commands for it are answered with an error`;
      this.#problems.add('error', 'CredentialsUnavailable', service, path, message);
    }
    if (
      upstream.mode === 'proxy' &&
      upstream.servers.kind === 'endpoints' &&
      upstream.servers.endpoints.length === 0
    ) {
      const message = `no EndpointSlice lists an address for ${id}; commands for it are answered with an error until one does`;
      this.#problems.add('warning', 'HostNotFound', service, path, message);
    }
    if (planned.modeAssumed) this.#tellModeAssumed(planned, id, path);
    return planned;
  }

  #blockWithoutEndpoints(host: Host, port: number, path: FieldPath): void {
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

  #tellMissingService(host: Host, path: FieldPath): void {
    if (host.missingService === undefined || this.#told.has(host.key)) return;
    this.#told.add(host.key);
    const message = `there is no Service ${host.missingService}; ${host.dnsName} is taken as a DNS name. Add the Service if it is one`;
    this.#problems.add('warning', 'HostNotFound', this.#service, path, message);
  }

  #tellModeAssumed(planned: PlannedUpstream, id: string, path: FieldPath): void {
    const what = planned.mode === 'CLUSTER' ? 'a Redis Cluster' : 'plain Redis servers';
    const message = `${id} is taken for ${what}; say so with a RedisDestination (trafficPolicy.connectionPool.redis.mode)`;
    this.#problems.add('note', 'ModeAssumed', this.#service, path, message);
  }

  #tellPolicyWithoutReplicas(): void {
    if (this.#told.has('policy')) return;
    this.#told.add('policy');
    const { readPolicy } = this.#service;
    const message =
      `${readPolicy} has no effect, since none of the routes leads to a Redis Cluster; write MASTER, ` +
      'or say mode CLUSTER in a RedisDestination of the host';
    this.#problems.add(
      'warning',
      'PolicyWithoutReplicas',
      this.#service,
      ['spec', 'settings', 'readPolicy'],
      message,
    );
  }
}
