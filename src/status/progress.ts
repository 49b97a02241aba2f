/**
 * What the connected proxies made of each object.
 *
 * Nothing is remembered here: each stream knows what its client holds, refused or has not answered, and a plan knows
 * which resources an object became. Put together they say how far each object is, at any time, also after a reconnect.
 */
import type { Progress } from './conditions.ts';

export interface ObjectResources {
  /** `namespace/name` of the RedisService. */
  readonly object: string;
  readonly resources: readonly ResourceVersion[];
}

export interface ResourceVersion {
  readonly typeUrl: string;
  readonly name: string;
  readonly version: string;
}

export type Outcome =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'pending' }
  | { readonly kind: 'rejected'; readonly message: string };

/** One stream of a connected proxy, and what that gets; there may be one for each type. */
export interface ProxyStream {
  readonly id: string;
  /** Another one for a proxy that gets something else, whatever it calls itself. */
  readonly view: string;
  readonly objects: readonly ObjectResources[];
  /** undefined: it has not asked for that type yet. */
  readonly outcomeOf: (resource: ResourceVersion) => Outcome | undefined;
}

interface Counted {
  isPending: boolean;
  readonly rejections: { readonly node: string; readonly message: string }[];
}

/** Of every object that some proxy gets. Where proxies share a name, an object is through when all of them have it. */
export function progressOf(streams: Iterable<ProxyStream>): ReadonlyMap<string, Progress> {
  const proxies = new Map<string, ProxyStream[]>();
  for (const stream of streams) {
    const key = JSON.stringify([stream.id, stream.view]);
    const known = proxies.get(key);
    if (known === undefined) proxies.set(key, [stream]);
    else known.push(stream);
  }
  const found = new Map<string, Counted>();
  for (const ofProxy of proxies.values()) count(found, ofProxy);
  return new Map([...found].map(([object, counted]) => [object, { isServed: true, ...counted }]));
}

function count(found: Map<string, Counted>, streams: readonly ProxyStream[]): void {
  const [first] = streams;
  for (const { object, resources } of first?.objects ?? []) {
    let counted = found.get(object);
    if (counted === undefined) {
      counted = { isPending: false, rejections: [] };
      found.set(object, counted);
    }
    for (const resource of resources) {
      let isKnown = false;
      for (const { id, outcomeOf } of streams) {
        const outcome = outcomeOf(resource);
        if (outcome === undefined) continue;
        isKnown = true;
        if (outcome.kind === 'pending') counted.isPending = true;
        if (outcome.kind === 'rejected') counted.rejections.push({ node: id, message: outcome.message });
      }
      if (!isKnown) counted.isPending = true;
    }
  }
}
