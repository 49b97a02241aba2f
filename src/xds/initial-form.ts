/**
 * What a client holds in the form for a starting client.
 *
 * A full set repeats it in that form until the version changes: to Envoy the other form would be another cluster, which
 * it warms, and one whose Redis is down then holds up its answers for ever and, after a reconnect, even its request for
 * clusters (measured, Envoy 1.40, state of the world).
 *
 * Immutable. Whoever holds the same in that form is sent the same bytes, whenever it started: `key` says so. Once all that a
 * client started with has changed, there is nothing left to tell apart.
 */
import type { Resource } from '../envoy/resource.ts';
import { ResourceSet } from '../envoy/resource-set.ts';
import type { Difference } from './served.ts';

const ofSets = new WeakMap<ResourceSet, { readonly form: InitialForm | undefined }>();

export class InitialForm {
  /** What has that form, and was not sent in another version since. */
  readonly #still: ResourceSet;
  /** By what was new to the client: the whole set it came in is the same for clients that lacked more or less of it. */
  readonly #next = new WeakMap<Difference['fresh'], { readonly form: InitialForm | undefined }>();

  private constructor(still: ResourceSet) {
    this.#still = still;
  }

  /** Of a client that has just been sent this set as its first; undefined where the set has no such form. */
  static of(started: ResourceSet): InitialForm | undefined {
    let known = ofSets.get(started);
    if (known === undefined) {
      const still = ResourceSet.of(started.list.filter(({ initialBytes }) => initialBytes !== undefined));
      known = { form: still.size > 0 ? new InitialForm(still) : undefined };
      ofSets.set(started, known);
    }
    return known.form;
  }

  /** Equal where the same is in that form. */
  get key(): string {
    return this.#still.version;
  }

  has({ name, version }: Resource): boolean {
    return this.#still.get(name)?.version === version;
  }

  /** After these were sent; undefined where nothing has that form any more. */
  after({ fresh, removed }: Difference): InitialForm | undefined {
    let known = this.#next.get(fresh);
    if (known === undefined) {
      const leaving = [...fresh.map(({ name }) => name), ...removed];
      const still = this.#still.with(new Map(leaving.map((name) => [name, undefined])));
      const isSame = still === this.#still;
      known = { form: isSame ? this : still.size > 0 ? new InitialForm(still) : undefined };
      this.#next.set(fresh, known);
    }
    return known.form;
  }
}
