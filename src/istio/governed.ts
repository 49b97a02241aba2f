/**
 * Which listeners the sidecars of a namespace carry out, and what each may take for itself there: addresses to listen on,
 * the host's own addresses, or a whole port. What stands in the root namespace reaches every other one, so it is decided
 * first; then come the namespace's own objects, since nobody else may take from them what is theirs.
 */
import type { FieldPath, Reason } from '../api/diagnostic.ts';
import type { Listener, SocketAddress } from '../plan/routing-plan.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import { chooseGoverning, formatBind } from '../plan/view.ts';
import { holdsIn, type MeshRights } from './audience.ts';

/** A listener as the sidecars of one namespace get it. */
export interface Governed {
  readonly plan: ServicePlan;
  readonly listener: Listener;
  /** Where a listener of its own listens; undefined: nowhere. */
  readonly bind: SocketAddress | undefined;
  /** Of the host, for which Istio has listeners that it may take; undefined: none is known. */
  readonly addresses: readonly string[] | undefined;
  /** It takes every connection to its port. */
  readonly isPortWide: boolean;
  readonly problems: readonly GovernedProblem[];
}

export interface GovernedProblem {
  readonly reason: Reason;
  readonly path: FieldPath;
  readonly message: string;
}

/** An address to listen on that an EnvoyFilter has which stays as it is. */
export interface HeldAddress extends SocketAddress {
  /** Of the EnvoyFilter. */
  readonly namespace: string;
  /** `NAMESPACE/NAME` of the RedisService. */
  readonly owner: string;
  /** What it is for: `HOST:PORT`. */
  readonly of: string;
}

interface Holder {
  readonly owner: string;
  readonly of: string;
}

const LISTEN_PATH = ['metadata', 'annotations', 'redpilot.dev/listen'];
const PORT_WIDE_PATH = ['metadata', 'annotations', 'redpilot.dev/istio-port-wide'];
const HOST_PATH = ['spec', 'host'];

/** Of plans that reach the namespace; `ofRoot`: what the whole mesh gets already; `held`: what meets it there. */
export function governedIn(
  namespace: string,
  plans: readonly ServicePlan[],
  ofRoot: readonly Governed[],
  held: readonly HeldAddress[],
  rights: MeshRights,
): readonly Governed[] {
  const holding = plans.map((plan) => ({
    ...plan,
    listeners: plan.listeners.filter((listener) => holdsIn(listener, namespace, rights)),
  }));
  const chosen = chooseGoverning(holding, { namespace, hosts: undefined });
  const everybody = [...ofRoot, ...chosen];
  const bound = new Map<string, Holder>();
  /** Of hosts; the mesh's are nobody else's, but in its own namespace an object wins over it. */
  const ofMesh = new Map<string, Holder>();
  const taken = new Map<string, Holder>();
  for (const { bind, addresses = [], listener } of ofRoot) {
    if (bind !== undefined) bound.set(addressKey(bind), holderOf(listener));
    for (const address of addresses) {
      ofMesh.set(addressKey({ address, port: listener.port }), holderOf(listener));
    }
  }
  const isOwn = ({ plan }: Pick<Governed, 'plan'>): boolean => plan.origin.namespace === namespace;
  return [...chosen.filter(isOwn), ...chosen.filter((one) => !isOwn(one))].map((one): Governed => {
    const { plan, listener } = one;
    const problems: GovernedProblem[] = [];
    const conflict = (holder: Holder, address: string, port: number, path: FieldPath): void =>
      void problems.push(addressConflict(listener, holder, formatBind({ address, port }), namespace, path));

    let bind = listener.listen;
    if (bind !== undefined) {
      const key = addressKey(bind);
      const self = holderOf(listener);
      const holder =
        bound.get(key) ?? held.find((other) => addressKey(other) === key && other.owner !== self.owner);
      if (holder === undefined) bound.set(key, self);
      else {
        conflict(holder, bind.address, bind.port, LISTEN_PATH);
        bind = undefined;
      }
    }

    const found = plan.addresses.get(listener.id);
    const isElsewhere = found?.kind === 'known' && found.of === 'entry' && !isOwn(one);
    if (isElsewhere) problems.push(entryElsewhere(listener, namespace));
    const all = found?.kind === 'known' ? found.addresses : undefined;
    const addresses = (isElsewhere ? [] : all)?.filter((address) => {
      const key = addressKey({ address, port: listener.port });
      const holder = taken.get(key) ?? (isOwn(one) ? undefined : ofMesh.get(key));
      if (holder === undefined || holder.of === listener.id) {
        taken.set(key, holderOf(listener));
        return true;
      }
      conflict(holder, address, listener.port, HOST_PATH);
      return false;
    });

    const isGone = found?.kind === 'none' && found.why === 'gone';
    const isAsked = plan.service.annotations.istioPortWide && addresses === undefined && !isGone;
    if (isAsked && !isOwn(one)) problems.push(portElsewhere(listener, namespace));
    const mayTakePort = isAsked && isOwn(one);
    const rival = mayTakePort ? everybody.find((other) => isRival(other.listener, listener)) : undefined;
    if (rival !== undefined) problems.push(portConflict(listener, rival.listener, namespace));
    const isPortWide = mayTakePort && rival === undefined;
    return { plan, listener, bind, addresses, isPortWide, problems };
  });
}

function isRival(other: Listener, listener: Listener): boolean {
  return other.port === listener.port && other.id !== listener.id;
}

function addressKey({ address, port }: SocketAddress): string {
  return `${address} ${port}`;
}

function holderOf({ origin, id }: Listener): Holder {
  return { owner: `${origin.namespace}/${origin.name}`, of: id };
}

function addressConflict(
  loser: Listener,
  { owner, of }: Holder,
  address: string,
  namespace: string,
  path: FieldPath,
): GovernedProblem {
  const message =
    `in sidecars of ${namespace} ${address} is taken by RedisService ${owner} for ${of}; ` +
    `write another address for ${loser.id}`;
  return { reason: 'AddressConflict', path, message };
}

function entryElsewhere({ host }: Listener, namespace: string): GovernedProblem {
  const message =
    `the sidecars of ${namespace} do not take the addresses of ${host}, since a ServiceEntry may name those of others; ` +
    `write an object for it in ${namespace}, a Service with a cluster IP, or give it an address to listen on (redpilot.dev/listen)`;
  return { reason: 'NamespaceNotAllowed', path: HOST_PATH, message };
}

function portElsewhere({ port }: Listener, namespace: string): GovernedProblem {
  const message =
    `the sidecars of ${namespace} do not take the whole port ${port}, since it may be that of others; ` +
    `write an object in ${namespace} that does, or give it an address to listen on (redpilot.dev/listen)`;
  return { reason: 'NamespaceNotAllowed', path: PORT_WIDE_PATH, message };
}

function portConflict(loser: Listener, rival: Listener, namespace: string): GovernedProblem {
  const { namespace: of, name } = rival.origin;
  const message =
    `would take port ${loser.port} of ${rival.id} too in sidecars of ${namespace}, which RedisService ${of}/${name} governs; ` +
    'give the host an address of its own, or an address to listen on (redpilot.dev/listen)';
  return {
    reason: 'UnsupportedByIstio',
    path: PORT_WIDE_PATH,
    message,
  };
}
