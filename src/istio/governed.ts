/**
 * Which listeners the sidecars of a namespace carry out, and what each may take for itself there: addresses to listen on,
 * or a whole port. What stands in the root namespace reaches every other one, so it is decided first.
 */
import type { FieldPath, Reason } from '../api/diagnostic.ts';
import type { Listener, SocketAddress } from '../plan/routing-plan.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import { chooseGoverning } from '../plan/view.ts';
import { holdsIn, type MeshRights } from './audience.ts';

/** A listener as the sidecars of one namespace get it. */
export interface Governed {
  readonly plan: ServicePlan;
  readonly listener: Listener;
  /** Where a listener of its own listens; undefined: nowhere. */
  readonly bind: SocketAddress | undefined;
  /** It takes every connection to its port. */
  readonly isPortWide: boolean;
  readonly problems: readonly GovernedProblem[];
}

export interface GovernedProblem {
  readonly reason: Reason;
  readonly path: FieldPath;
  readonly message: string;
}

/** Of plans that reach the namespace; `ofRoot`: what the whole mesh gets already. */
export function governedIn(
  namespace: string,
  plans: readonly ServicePlan[],
  ofRoot: readonly Governed[],
  rights: MeshRights,
): readonly Governed[] {
  const holding = plans.map((plan) => ({
    ...plan,
    listeners: plan.listeners.filter((listener) => holdsIn(listener, namespace, rights)),
  }));
  const chosen = chooseGoverning(holding, { namespace, hosts: undefined });
  const everybody = [...ofRoot, ...chosen];
  const holders = new Map(
    ofRoot.flatMap(({ bind, listener }) => (bind === undefined ? [] : [[addressKey(bind), listener]])),
  );
  return chosen.map(({ plan, listener }) => {
    const problems: GovernedProblem[] = [];
    let bind = listener.listen;
    const holder = bind && holders.get(addressKey(bind));
    if (bind !== undefined && holder === undefined) holders.set(addressKey(bind), listener);
    if (bind !== undefined && holder !== undefined) {
      problems.push(addressConflict(listener, holder, bind, namespace));
      bind = undefined;
    }
    const isAsked = plan.service.annotations.istioPortWide && !hasAddress(plan, listener);
    const rival = isAsked ? everybody.find((other) => isRival(other.listener, listener)) : undefined;
    if (rival !== undefined) problems.push(portConflict(listener, rival.listener, namespace));
    return { plan, listener, bind, isPortWide: isAsked && rival === undefined, problems };
  });
}

export function hasAddress(plan: ServicePlan, { id }: Listener): boolean {
  return plan.addresses.get(id)?.kind === 'known';
}

function isRival(other: Listener, listener: Listener): boolean {
  return other.port === listener.port && other.id !== listener.id;
}

function addressKey({ address, port }: SocketAddress): string {
  return `${address} ${port}`;
}

function addressConflict(
  loser: Listener,
  holder: Listener,
  { address, port }: SocketAddress,
  namespace: string,
): GovernedProblem {
  const { namespace: of, name } = holder.origin;
  const message =
    `in sidecars of ${namespace} ${address}:${port} is taken by RedisService ${of}/${name} for ${holder.id}; ` +
    `write another address for ${loser.id}`;
  return { reason: 'AddressConflict', path: ['metadata', 'annotations', 'redpilot.dev/listen'], message };
}

function portConflict(loser: Listener, rival: Listener, namespace: string): GovernedProblem {
  const { namespace: of, name } = rival.origin;
  const message =
    `would take port ${loser.port} of ${rival.id} too in sidecars of ${namespace}, which RedisService ${of}/${name} governs; ` +
    'give the host an address of its own, or an address to listen on (redpilot.dev/listen)';
  return {
    reason: 'UnsupportedByIstio',
    path: ['metadata', 'annotations', 'redpilot.dev/istio-port-wide'],
    message,
  };
}
