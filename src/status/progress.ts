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

/** One connected proxy, and what it gets. */
export interface Proxy {
  readonly id: string;
  readonly objects: readonly ObjectResources[];
  /** undefined: it has not asked for that type yet. */
  readonly outcomeOf: (resource: ResourceVersion) => Outcome | undefined;
}

interface Counted {
  isPending: boolean;
  readonly rejections: { readonly node: string; readonly message: string }[];
}

/** Of every object that some proxy gets. */
export function progressOf(proxies: Iterable<Proxy>): ReadonlyMap<string, Progress> {
  const found = new Map<string, Counted>();
  for (const { id, objects, outcomeOf } of proxies) {
    for (const { object, resources } of objects) {
      let counted = found.get(object);
      if (counted === undefined) {
        counted = { isPending: false, rejections: [] };
        found.set(object, counted);
      }
      for (const resource of resources) {
        const outcome = outcomeOf(resource) ?? { kind: 'pending' };
        if (outcome.kind === 'pending') counted.isPending = true;
        if (outcome.kind === 'rejected') {
          counted.rejections.push({ node: id, message: wordsOn(resource.name, outcome.message) });
        }
      }
    }
  }
  return new Map([...found].map(([object, counted]) => [object, { isServed: true, ...counted }]));
}

/** Envoy lists what it refuses as `NAME: text`, the first after a prefix; of the others' text nothing is wanted here. */
function wordsOn(name: string, message: string): string {
  const lines = message.split('\n').map((line) => line.replace(/^Error adding\/updating \S+ /, ''));
  const own = lines.find((line) => line.startsWith(`${name}: `));
  return (own?.slice(name.length + 2) ?? message).trim();
}
