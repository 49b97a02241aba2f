/**
 * What one kind of node carries out: the listeners that govern its clients, each on an address of its own.
 */
import { diagnosticOf, type Diagnostic } from '../api/diagnostic.ts';
import { addressOf } from '../api/host-port.ts';
import { compareAge, type Aged } from './age.ts';
import { loopbackAddress } from './loopback-address.ts';
import {
  routesOf,
  type BoundListener,
  type Listener,
  type RoutingPlan,
  type Upstream,
  type UpstreamId,
} from './routing-plan.ts';
import type { ServicePlan } from './service-plan.ts';

export interface View {
  /** undefined: clients of every namespace. */
  readonly namespace: string | undefined;
  /** Full host names (listener hosts); undefined: all that govern the namespace. */
  readonly hosts: readonly string[] | undefined;
  /** Where listeners listen that do not say so themselves; or AUTO_BIND. */
  readonly bindAddress: string;
}

export interface ViewPlan {
  readonly plan: RoutingPlan;
  /** Address conflicts: they exist only among what one node gets. */
  readonly diagnostics: readonly Diagnostic[];
}

/** In the place of an address: each host gets a loopback address of its own. */
export const AUTO_BIND = 'auto';

export function planForView(services: readonly ServicePlan[], view: View): ViewPlan {
  const governing = chooseGoverning(services, view);
  const byAddress = new Map<string, Governing>();
  const diagnostics: Diagnostic[] = [];
  const listeners: BoundListener[] = [];
  const addressOf = view.bindAddress === AUTO_BIND ? ownAddresses() : (): string => view.bindAddress;
  for (const candidate of governing) {
    const { listener } = candidate;
    const bind = listener.listen ?? { address: addressOf(listener.host), port: listener.port };
    const address = formatBind(bind);
    const holder = byAddress.get(address);
    if (holder !== undefined) {
      diagnostics.push(addressConflict(candidate, holder.listener, address));
      continue;
    }
    byAddress.set(address, candidate);
    listeners.push({ listener, bind });
  }
  return { plan: { listeners, upstreams: collectUpstreams(services, listeners) }, diagnostics };
}

/** `127.0.0.1:6379`: what only one listener of a node can have. */
export function formatBind({ address, port }: BoundListener['bind']): string {
  return addressOf(address, port);
}

/** An address for each host that it is asked for; who comes later avoids what is taken. */
function ownAddresses(): (host: string) => string {
  const byHost = new Map<string, string>();
  const taken = new Set<string>();
  return (host) => {
    let address = byHost.get(host);
    for (let attempt = 0; address === undefined; attempt++) {
      const candidate = loopbackAddress(host, attempt);
      if (!taken.has(candidate)) address = candidate;
    }
    byHost.set(host, address);
    taken.add(address);
    return address;
  };
}

export interface Governing {
  readonly listener: Listener;
  readonly plan: ServicePlan;
}

/** One listener for each host and port, the oldest object's first. */
export function chooseGoverning(
  services: readonly ServicePlan[],
  view: Pick<View, 'namespace' | 'hosts'>,
): readonly Governing[] {
  const chosen = new Map<string, Governing>();
  for (const plan of services) {
    for (const listener of plan.listeners) {
      if (!isSeen(listener, view)) continue;
      const rival = chosen.get(listener.id);
      if (rival === undefined || governs(listener, rival.listener, view))
        chosen.set(listener.id, { listener, plan });
    }
  }
  return [...chosen.values()].sort(
    ({ listener: a }, { listener: b }) => compareAge(age(a), age(b)) || (a.id < b.id ? -1 : 1),
  );
}

export function isSeen(listener: Listener, view: Pick<View, 'namespace' | 'hosts'>): boolean {
  if (view.hosts !== undefined && !view.hosts.includes(listener.host)) return false;
  return (
    listener.onlyNamespaces === undefined ||
    view.namespace === undefined ||
    listener.onlyNamespaces.includes(view.namespace)
  );
}

/** An object of the clients' own namespace wins over the host's; for nodes without a namespace the host's own wins. */
function governs(listener: Listener, rival: Listener, view: Pick<View, 'namespace'>): boolean {
  if (view.namespace !== undefined) {
    const isOwn = ({ origin }: Listener): boolean => origin.namespace === view.namespace;
    if (isOwn(listener) !== isOwn(rival)) return isOwn(listener);
  }
  if (listener.isConsumers !== rival.isConsumers) return rival.isConsumers;
  return compareAge(age(listener), age(rival)) < 0;
}

function age(listener: Listener): Aged {
  const { namespace, name } = listener.origin;
  return { createdMs: listener.originCreatedMs, namespace, name };
}

/** All that its commands may go to; one may be there twice. */
export function upstreamsOf(listener: Listener): readonly UpstreamId[] {
  return routesOf(listener).flatMap(({ upstream, reads, mirrors }) => [
    upstream,
    ...(reads === undefined ? [] : [reads]),
    ...mirrors.map((mirror) => mirror.upstream),
  ]);
}

/**
 * Whether nothing has changed that decides who governs, where it listens and which upstreams are there: then every view
 * stays as it is but for the objects that are new.
 */
export function isSameShape(before: ServicePlan, after: ServicePlan): boolean {
  return !before.isLastGood && !after.isLastGood && shapeOf(before) === shapeOf(after);
}

function shapeOf({ listeners, upstreams }: ServicePlan): string {
  return JSON.stringify([
    upstreams.map(({ id }) => id),
    listeners.map((listener) => {
      const { id, host, port, listen, onlyNamespaces, isConsumers } = listener;
      return [id, host, port, listen, onlyNamespaces, isConsumers, age(listener), upstreamsOf(listener)];
    }),
  ]);
}

function collectUpstreams(
  services: readonly ServicePlan[],
  bound: readonly BoundListener[],
): ReadonlyMap<UpstreamId, Upstream> {
  const wanted = new Set(bound.flatMap(({ listener }) => upstreamsOf(listener)));
  const found = new Map<UpstreamId, Upstream>();
  // What a kept plan remembers of an upstream is older than what a current one says.
  for (const lastGood of [false, true]) {
    for (const { upstreams, isLastGood } of services) {
      if (isLastGood !== lastGood) continue;
      for (const upstream of upstreams) {
        if (wanted.has(upstream.id) && !found.has(upstream.id)) found.set(upstream.id, upstream);
      }
    }
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The last of each: the same again where it says the same. */
const conflicts = new WeakMap<ServicePlan, Diagnostic>();

/** Where it stands in its file is asked once for each plan: views are made often, and it costs reading the YAML again. */
function addressConflict(
  { listener: loser, plan }: Governing,
  holder: Listener,
  address: string,
): Diagnostic {
  let conflict = conflicts.get(plan);
  if (conflict === undefined) {
    conflict = diagnosticOf(plan.service, 'error', 'AddressConflict', ['spec', 'host'], '');
    conflicts.set(plan, conflict);
  }
  const { namespace, name } = holder.origin;
  const message =
    `${loser.id} would listen on ${address}, which RedisService ${namespace}/${name} has for ${holder.id}; ` +
    'listen elsewhere with the annotation redpilot.dev/listen, give every host an address of its own with --bind auto, ' +
    'or narrow what the node gets with bootstrap --hosts';
  if (conflict.message !== message) {
    conflict = { ...conflict, message };
    conflicts.set(plan, conflict);
  }
  return conflict;
}
