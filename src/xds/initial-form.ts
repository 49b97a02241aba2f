/**
 * What a client holds in the form for a starting client.
 *
 * A full set repeats it in that form until the version changes: to Envoy the other form would be another cluster, which
 * it warms, and one whose Redis is down then holds up its answers for ever and, after a reconnect, even its request for
 * clusters (measured, Envoy 1.40, state of the world).
 *
 * Immutable, and the same object for all clients that started with the same set and were sent the same since: so what is
 * encoded for one of them serves them all.
 */
import type { Resource } from '../envoy/resource.ts';
import type { ResourceSet } from '../envoy/resource-set.ts';
import type { Difference } from './holdings.ts';

const ofSets = new WeakMap<ResourceSet, { readonly form: InitialForm | undefined }>();

export class InitialForm {
  readonly #started: ResourceSet;
  /** Names of the set that have been sent in another version since. */
  readonly #left: ReadonlySet<string>;
  readonly #next = new WeakMap<Difference['content'], InitialForm>();

  private constructor(started: ResourceSet, left: ReadonlySet<string>) {
    this.#started = started;
    this.#left = left;
  }

  /** Of a client that has just been sent this set as its first; undefined where the set has no such form. */
  static of(started: ResourceSet): InitialForm | undefined {
    let known = ofSets.get(started);
    if (known === undefined) {
      const hasForms = started.list.some(({ initialBytes }) => initialBytes !== undefined);
      known = { form: hasForms ? new InitialForm(started, new Set()) : undefined };
      ofSets.set(started, known);
    }
    return known.form;
  }

  has({ name, version, initialBytes }: Resource): boolean {
    return (
      initialBytes !== undefined && !this.#left.has(name) && this.#started.get(name)?.version === version
    );
  }

  /** After these were sent. */
  after({ content, fresh, removed }: Difference): InitialForm {
    const known = this.#next.get(content);
    if (known !== undefined) return known;
    const leaving = [...fresh.map(({ name }) => name), ...removed].filter(
      (name) => this.#started.has(name) && !this.#left.has(name),
    );
    const next =
      leaving.length === 0 ? this : new InitialForm(this.#started, new Set([...this.#left, ...leaving]));
    this.#next.set(content, next);
    return next;
  }
}
