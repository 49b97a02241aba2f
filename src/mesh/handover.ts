/**
 * An address to listen on passes from one EnvoyFilter to another by two writes, of which the one that gives it up comes
 * first: while both have it, Envoy refuses the second listener, and a sidecar that starts then does not become ready.
 *
 * Istio's own listeners are another matter: where nobody governed one for a moment, it would be open.
 */
import { heldAddresses } from '../istio/held-addresses.ts';
import { formatBind } from '../plan/view.ts';
import type { Manifest } from './manifest.ts';

/** An EnvoyFilter as it is there, or as it is just being written. */
export interface ListeningFilter {
  readonly namespace: string;
  /** `NAMESPACE/NAME` */
  readonly key: string;
  readonly spec: unknown;
}

export interface Handover {
  /** What may be written now. */
  readonly manifest: Manifest;
  /** Why that is not all, as a clause. */
  readonly waitsFor: string | undefined;
}

export class Handovers {
  readonly #rootNamespace: string;
  /** By address and port. */
  readonly #listening = new Map<string, ListeningFilter[]>();

  constructor(filters: Iterable<ListeningFilter>, rootNamespace: string) {
    this.#rootNamespace = rootNamespace;
    for (const filter of filters) {
      for (const address of addressesIn(filter.spec)) {
        const others = this.#listening.get(address);
        if (others === undefined) this.#listening.set(address, [filter]);
        else others.push(filter);
      }
    }
  }

  /** `before`: the spec that the EnvoyFilter has now. */
  of(manifest: Manifest, before: unknown): Handover {
    const has = new Set(addressesIn(before));
    let waitsFor: string | undefined;
    const configPatches = manifest.spec.configPatches.filter((patch) => {
      const [address] = addressesIn({ configPatches: [patch] });
      if (address === undefined || has.has(address)) return true;
      const holder = this.#holderOf(address, manifest.metadata);
      if (holder !== undefined) waitsFor ??= `${address} is still that of EnvoyFilter ${holder}`;
      return holder === undefined;
    });
    const isAll = configPatches.length === manifest.spec.configPatches.length;
    return {
      manifest: isAll ? manifest : { ...manifest, spec: { ...manifest.spec, configPatches } },
      waitsFor,
    };
  }

  /** Of another one that meets it in a sidecar. */
  #holderOf(address: string, { namespace, name }: Manifest['metadata']): string | undefined {
    const meets = (other: string): boolean =>
      other === namespace || other === this.#rootNamespace || namespace === this.#rootNamespace;
    return this.#listening
      .get(address)
      ?.find((other) => other.key !== `${namespace}/${name}` && meets(other.namespace))?.key;
  }
}

const known = new WeakMap<object, readonly string[]>();

/** Once for each spec: most looks find the same ones. */
function addressesIn(spec: unknown): readonly string[] {
  if (typeof spec !== 'object' || spec === null) return [];
  let found = known.get(spec);
  if (found === undefined) {
    found = heldAddresses('', '', spec).map(formatBind);
    known.set(spec, found);
  }
  return found;
}
