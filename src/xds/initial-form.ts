/**
 * What a client holds in the form for one that has not got the resource yet: each that it was sent as a new one.
 *
 * A full set repeats it in that form until the version changes: to Envoy the other form would be another cluster, which
 * it warms, and one whose Redis is down then holds up its answers for ever and, after a reconnect, even its request for
 * clusters (measured, Envoy 1.40, both variants).
 *
 * Immutable. Whoever holds the same in that form is sent the same bytes, whenever it came: `key` says so.
 */
import type { Resource } from '../envoy/resource.ts';
import { ResourceSet, type Transition } from '../envoy/resource-set.ts';
import type { Difference } from './served.ts';

/** By mask: the last that was asked for. */
const ofMasks = new WeakMap<ResourceSet, { readonly mask: string; readonly form: InitialForm }>();

/** Of late: streams that have come to hold the same go on with one, whenever each of them began. */
const recent = new Map<string, InitialForm>();
const MOST_RECENT = 16;

export class InitialForm {
  /** What has that form, and was not sent in another version since. */
  readonly #still: ResourceSet;
  /** By what was new to the client: the whole set it came in is the same for clients that lacked more or less of it. */
  readonly #next = new WeakMap<Difference['fresh'], InitialForm>();
  readonly #within = new WeakMap<Transition, InitialForm>();

  constructor(still: ResourceSet) {
    this.#still = still;
  }

  /** What of a set has that form, as `maskOf` says. */
  static ofMask(mask: string, set: ResourceSet): InitialForm {
    const known = ofMasks.get(set);
    if (known?.mask === mask) return known.form;
    const bits = Buffer.from(mask, 'base64url');
    const isSet = (at: number): boolean => (((bits[at >>> 3] ?? 0) >>> (at & 7)) & 1) === 1;
    const still = set.list.filter(({ initialBytes }, at) => initialBytes !== undefined && isSet(at));
    const form = NO_INITIAL_FORM.#become(ResourceSet.of(still));
    ofMasks.set(set, { mask, form });
    return form;
  }

  /** Which of them have that form, in words that a client can bring along; empty: none. */
  maskOf(resources: readonly Resource[]): string {
    if (this.#still.size === 0) return '';
    const bits = Buffer.alloc(Math.ceil(resources.length / 8));
    for (const [at, resource] of resources.entries())
      if (this.has(resource)) bits[at >>> 3] = (bits[at >>> 3] ?? 0) | (1 << (at & 7));
    return bits.toString('base64url');
  }

  /** Equal where the same is in that form. */
  get key(): string {
    return this.#still.version;
  }

  has({ name, version }: Resource): boolean {
    return this.#still.get(name)?.version === version;
  }

  /** What of a response has that form. */
  within(content: Transition): InitialForm {
    if (this.#still.size === 0) return NO_INITIAL_FORM;
    let known = this.#within.get(content);
    if (known === undefined) {
      known = this.#become(ResourceSet.of(content.resources.filter((resource) => this.has(resource))));
      this.#within.set(content, known);
    }
    return known;
  }

  /** After these were sent. `isHeld`: the client had some version of it, or may have had. */
  after(
    { fresh, removed }: Pick<Difference, 'fresh' | 'removed'>,
    isHeld: (name: string) => boolean,
  ): InitialForm {
    let known = this.#next.get(fresh);
    if (known === undefined) {
      const isNew = (resource: Resource): boolean =>
        resource.initialBytes !== undefined && !isHeld(resource.name);
      const sent = fresh.map((resource) => [resource.name, isNew(resource) ? resource : undefined] as const);
      const gone = removed.map((name) => [name, undefined] as const);
      known = this.#become(this.#still.with(new Map([...gone, ...sent])));
      this.#next.set(fresh, known);
    }
    return known;
  }

  #become(still: ResourceSet): InitialForm {
    if (still.version === this.key) return this;
    if (still.size === 0) return NO_INITIAL_FORM;
    const form = recent.get(still.version) ?? new InitialForm(still);
    recent.delete(form.key);
    recent.set(form.key, form);
    const [oldest] = recent.keys();
    if (recent.size > MOST_RECENT && oldest !== undefined) recent.delete(oldest);
    return form;
  }
}

/** Of who has nothing in that form. (Not a static field: TypeScript 7.0.2 compiles this one to a use before its class is there.) */
export const NO_INITIAL_FORM = new InitialForm(ResourceSet.empty);
