/**
 * EnvoyFilters that can't be made anew stay as they are, but for addresses that are not their hosts' any more: the cluster
 * gives the address of a Service that went to the next one, whose connections would be taken.
 */
import type { ObjectRef } from '../api/diagnostic.ts';
import type { HostAddresses } from '../plan/hosts.ts';
import {
  MANAGED_BY,
  OWNER_ANNOTATION,
  type EnvoyFilterBody,
  type EnvoyFilterDocument,
  type FilterRef,
} from './envoy-filter.ts';
import type { Governed } from './governed.ts';
import { violationsOf } from './invariants.ts';
import { list, map, text, type Json } from './loose-json.ts';
import { placeOfAddress } from './patches.ts';

/** Whose an address is now. */
export interface Holders {
  /** As an object of that namespace writes the host; undefined: that is not known. */
  of(host: string, namespace: string): HostAddresses | undefined;
  isOfService(address: string): boolean;
}

/** By the name of Istio's listener, the listener of ours that has it. */
export type TakenPlaces = ReadonlyMap<string, string>;

export function takenPlaces(governed: readonly Governed[]): TakenPlaces {
  return new Map(
    governed.flatMap(({ listener, addresses = [] }) =>
      addresses.map((address) => [placeOfAddress(address, listener.port).name, listener.id] as const),
    ),
  );
}

export interface Keeping {
  readonly holders?: Holders | undefined;
  readonly rootNamespace: string;
  /** In the namespace of the EnvoyFilter. */
  readonly taken: TakenPlaces;
}

/** The very `spec` where it may stay as it is. */
export function stillTheirs(
  filter: FilterRef,
  owner: ObjectRef,
  spec: unknown,
  { holders, rootNamespace, taken }: Keeping,
): unknown {
  // Who else has an address is not known for sure: there may be namespaces that are not followed. Sidecars of its own
  // namespace are the object's to lose; those of others get nothing that is not known to be the host's.
  const isOwn = filter.namespace === owner.namespace && filter.namespace !== rootNamespace;
  const isLost = ({ address, name, id, host }: KeptPlace): boolean => {
    if ((taken.get(name) ?? id) !== id) return true;
    if (holders === undefined) return false;
    const now = holders.of(host, owner.namespace);
    if (now === undefined) return false;
    const isTheirs = now.kind === 'known' && now.addresses.includes(address);
    return isOwn ? !isTheirs && holders.isOfService(address) : !isTheirs || now.of === 'entry';
  };
  const patches = list(map(spec)['configPatches']);
  const rest = patches.filter((patch) => !placesIn(patch).some(isLost));
  return rest.length === patches.length ? spec : { ...map(spec), configPatches: rest };
}

/** What is left of one, to be written; undefined: nothing that would carry out anything. */
export function keptDocument(
  filter: FilterRef,
  owner: ObjectRef,
  spec: unknown,
): EnvoyFilterDocument | undefined {
  const body: EnvoyFilterBody = {
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: {
      namespace: filter.namespace,
      name: filter.name,
      labels: MANAGED_BY,
      annotations: { [OWNER_ANNOTATION]: `${owner.namespace}/${owner.name}` },
    },
    // It was written as one; what somebody may have made of it since is held to the invariants.
    spec: spec as EnvoyFilterBody['spec'],
  };
  if (list(map(spec)['configPatches']).length === 0 || isGoing(spec)) return undefined;
  if (violationsOf(body, new Set()).length > 0) return undefined;
  return { namespace: filter.namespace, name: filter.name, owner, body };
}

/** It has clusters alone, for connections that are being drained. */
export function isGoing(spec: unknown): boolean {
  const patches = list(map(spec)['configPatches']);
  return patches.length > 0 && patches.every(({ applyTo }) => applyTo === 'CLUSTER');
}

interface KeptPlace {
  /** Of Istio's listener. */
  readonly name: string;
  readonly address: string;
  /** Of our listener: `HOST:PORT`. */
  readonly id: string;
  readonly host: string;
}

/** At most one. */
function placesIn({ applyTo, match, patch }: Json): readonly KeptPlace[] {
  const name = text(map(map(match)['listener'])['name']);
  const id = text(map(map(map(patch)['value'])['typed_config'])['stat_prefix']);
  if (applyTo !== 'NETWORK_FILTER' || name === '') return [];
  const address = name.slice(0, name.lastIndexOf('_'));
  return [{ name, address, id, host: id.slice(0, id.lastIndexOf(':')) }];
}
