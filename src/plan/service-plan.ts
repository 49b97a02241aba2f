/**
 * One RedisService: its listeners, the upstreams they route to, and what is to say about it.
 */
import type { Diagnostic, ObjectRef } from '../api/diagnostic.ts';
import { hostKey } from '../api/host-name.ts';
import { addressOf } from '../api/host-port.ts';
import type { RedisDestination, RedisService } from '../api/objects.ts';
import type { WorldReader } from '../world/world-reader.ts';
import { precedence } from './age.ts';
import { listenAddresses } from './binding.ts';
import { readCredentials, type KnownCredentials } from './credentials.ts';
import { addressesOf, resolveHost, type HostAddresses } from './hosts.ts';
import { planListener } from './listener-plan.ts';
import { listenerPorts } from './ports.ts';
import { Problems } from './problems.ts';
import type { ClientAuth, Listener, ListenerId, Upstream } from './routing-plan.ts';
import { reuse } from './same-content.ts';
import { Targets, type UpstreamPlanner } from './targets.ts';
import { placeName, type Place } from './upstream.ts';

export interface ServicePlan {
  readonly origin: ObjectRef;
  /** The object as it is now, for what is said about it later. */
  readonly service: RedisService;
  /** What shapes its upstreams. */
  readonly destinations: readonly RedisDestination[];
  readonly listeners: readonly Listener[];
  /** Of the listeners' hosts, for data planes that stand in the way there: the sidecars of a mesh. */
  readonly addresses: ReadonlyMap<ListenerId, HostAddresses>;
  readonly upstreams: readonly Upstream[];
  readonly diagnostics: readonly Diagnostic[];
  /** The object can't be put in force as it is now: listeners and upstreams are those of its last good plan. */
  readonly isLastGood: boolean;
  /** What no younger object gets: without listeners, too, where clients were to say a password that another may not ask for. */
  readonly holds: readonly ListenerId[];
  readonly knownClientAuth: KnownCredentials | undefined;
}

/** The older object, of the same namespace, that has the listener of that name. */
export type OlderHolder = (id: ListenerId) => RedisService | undefined;

export function planService(
  world: WorldReader,
  service: RedisService,
  planUpstream: UpstreamPlanner,
  olderHolder: OlderHolder,
  previous: ServicePlan | undefined,
): ServicePlan {
  return new ServicePlanning(world, service, planUpstream, olderHolder, previous).plan();
}

interface ListenerPlace extends Place {
  /** In spec.host. */
  readonly hostIndex: number;
}

class ServicePlanning {
  readonly #world: WorldReader;
  readonly #service: RedisService;
  readonly #olderHolder: OlderHolder;
  readonly #previous: ServicePlan | undefined;
  readonly #problems = new Problems();
  readonly #targets: Targets;
  /** By key: hosts that have a place less than they should, for a reason that was told. */
  readonly #refusedHosts = new Set<string>();

  constructor(
    world: WorldReader,
    service: RedisService,
    planUpstream: UpstreamPlanner,
    olderHolder: OlderHolder,
    previous: ServicePlan | undefined,
  ) {
    this.#world = world;
    this.#service = service;
    this.#olderHolder = olderHolder;
    this.#previous = previous;
    this.#targets = new Targets(world, service, planUpstream, this.#problems);
  }

  plan(): ServicePlan {
    const service = this.#service;
    const previous = this.#previous;
    const problems = this.#problems;
    const origin: ObjectRef = { kind: service.kind, namespace: service.namespace, name: service.name };
    const { clientAuth, known } = this.#clientAuth();
    if (this.#world.options.withIstio === false) this.#tellIdleAnnotations();
    const places = this.#places();
    const listen = listenAddresses(this.#world, service, places, this.#refusedHosts, problems);
    const context = { world: this.#world, service, origin, targets: this.#targets, problems, clientAuth };
    const listeners = places.map((place) =>
      planListener(context, place, place.hostIndex, listen.get(placeName(place))),
    );
    const used = this.#targets.planned;
    for (const { diagnostics } of used) problems.addAll(diagnostics);

    if (problems.blocking) {
      if (previous !== undefined && previous.listeners.length > 0) {
        const kept = 'what was last good stays in force until this is mended';
        problems.add('warning', 'LastGoodKept', service, [], kept);
        return this.#keep(previous, clientAuth, known);
      }
      return {
        origin,
        service,
        destinations: [],
        listeners: [],
        addresses: new Map(),
        upstreams: [],
        diagnostics: problems.found,
        isLastGood: false,
        holds: service.auth === undefined ? [] : places.map(placeName),
        knownClientAuth: known,
      };
    }
    return {
      origin,
      service,
      destinations: this.#targets.destinations,
      listeners: listeners.map((listener) =>
        reuse(
          previous?.listeners.find(({ id }) => id === listener.id),
          listener,
        ),
      ),
      addresses: new Map(places.map((place) => [placeName(place), addressesOf(place.host)])),
      upstreams: used.map(({ upstream }) => upstream),
      diagnostics: problems.found,
      isLastGood: false,
      holds: places.map(placeName),
      knownClientAuth: known,
    };
  }

  /**
   * As it was, but with passwords as they are: a broken edit must not keep a rotated Secret from being followed. And where
   * the hosts' addresses are now: one that a Service has lost may be another's.
   */
  #keep(previous: ServicePlan, clientAuth: ClientAuth, known: KnownCredentials | undefined): ServicePlan {
    const service = this.#service;
    const isSameSecret =
      service.auth?.kind === 'secret' &&
      known !== undefined &&
      known.askedFor === previous.knownClientAuth?.askedFor;
    const addresses = new Map(
      previous.listeners.map(({ id, host }) => [
        id,
        addressesOf(resolveHost(this.#world, host, service.namespace)),
      ]),
    );
    const current = new Map(this.#targets.planned.map(({ upstream }) => [upstream.id, upstream]));
    return {
      ...previous,
      service,
      listeners: isSameSecret
        ? previous.listeners.map((listener) => reuse(listener, { ...listener, clientAuth }))
        : previous.listeners,
      addresses,
      upstreams: previous.upstreams.map((upstream) => current.get(upstream.id) ?? upstream),
      diagnostics: this.#problems.found,
      isLastGood: true,
      knownClientAuth: isSameSecret ? known : previous.knownClientAuth,
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

  #tellIdleAnnotations(): void {
    const { istioNamespaces, istioSecrets, istioPortWide } = this.#service.annotations;
    const asked = {
      'istio-namespaces': istioNamespaces.length > 0,
      'istio-secrets': istioSecrets !== undefined,
      'istio-port-wide': istioPortWide,
    };
    for (const [name, isAsked] of Object.entries(asked)) {
      if (!isAsked) continue;
      const message = 'has no effect without serve --kubernetes --istio';
      const path = ['metadata', 'annotations', `redpilot.dev/${name}`];
      this.#problems.add('warning', 'UnknownField', this.#service, path, message);
    }
  }

  /** Every (host, port) that this object governs. */
  #places(): readonly ListenerPlace[] {
    const service = this.#service;
    const places: ListenerPlace[] = [];
    const seen = new Map<string, number>();
    for (const [hostIndex, text] of service.hosts.entries()) {
      const path = ['spec', 'host', hostIndex];
      const host = resolveHost(this.#world, text, service.namespace);
      const first = seen.get(host.key);
      if (first !== undefined) {
        const message = `"${text}" is the same host as spec.host[${first}]; remove one`;
        this.#problems.block('Duplicate', service, path, message);
        continue;
      }
      seen.set(host.key, hostIndex);
      this.#targets.tellMissingService(host, path);
      const found = listenerPorts(host, service, (name) =>
        hostKey(name, service.namespace, this.#world.clusterDomain),
      );
      if ('problem' in found) {
        this.#problems.block('PortNotFound', service, path, found.problem);
        this.#refusedHosts.add(host.key);
        continue;
      }
      for (const port of found.ports) {
        const older = this.#olderHolder(placeName({ host, port }));
        if (older === undefined) {
          places.push({ host, port, hostIndex });
        } else {
          const message =
            `${addressOf(host.id, port)} is already governed by RedisService ${older.namespace}/${older.name}, which ${precedence(older, service)}; ` +
            'remove the host from one of the two';
          this.#problems.add('error', 'HostConflict', service, path, message);
          this.#refusedHosts.add(host.key);
        }
      }
    }
    return places;
  }
}
