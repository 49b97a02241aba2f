/**
 * What a client holds of one type on one stream, as far as its server can know: the versions it was sent, the names it
 * is owed an answer for, and what it refused.
 *
 * A version that was refused counts as sent: so it is not sent again before it changes.
 */
import type { Resource } from '../envoy/resource.ts';
import type { Interest } from './interest.ts';
import type { SentResponse } from './outstanding.ts';
import { blamedNames, withoutContents } from './rejection.ts';

/** The resources of one type that one stream is served. */
export interface Served {
  readonly resources: ReadonlyMap<string, Resource>;
  /** Gone, but not to be reported as removed yet, and their content is unknown. */
  readonly withheld: ReadonlySet<string>;
  /** Number of the snapshot. */
  readonly sequence: number;
}

export interface Difference {
  readonly changed: readonly Resource[];
  /** Gone since they were sent, or asked for and not there. */
  readonly removed: readonly string[];
}

export interface Recorded {
  /** Names whose content is new to the client. */
  readonly fresh: readonly string[];
  /** Names that are sent in the form for a starting client. */
  readonly initial: ReadonlySet<string>;
}

interface Refusal {
  readonly message: string;
  /** Version by name of what the client blamed. */
  readonly versions: Map<string, string>;
  /** What the refused response removed: it may all be there still, so it is removed again with the next change. */
  readonly removed: Set<string>;
  /** Something in it has changed since, which gives the rest another chance. */
  isRetried: boolean;
}

/** `asked`: answered in any case. `touched`: sent again because its cluster changed, but not if it was refused. */
type Debt = 'asked' | 'touched';

export class Holdings {
  readonly #versions = new Map<string, string>();
  readonly #owed = new Map<string, Debt>();
  /**
   * Held in the form for a starting client. A full set repeats it in that form until the version changes: to Envoy the
   * other form would be another cluster, which it warms, and one whose Redis is down then holds up its answers for ever
   * and, after a reconnect, even its request for clusters (measured, Envoy 1.40, state of the world).
   */
  readonly #inInitialForm = new Set<string>();
  #refusals: Refusal[] = [];

  names(): Iterable<string> {
    return this.#versions.keys();
  }

  has(name: string): boolean {
    return this.#versions.has(name);
  }

  /** The client's own account of what it has. */
  adopt(known: Iterable<readonly [name: string, version: string]>): void {
    for (const [name, version] of known) this.#versions.set(name, version);
  }

  ask(name: string): void {
    this.#owed.set(name, 'asked');
  }

  touch(name: string): void {
    if (!this.#owed.has(name)) this.#owed.set(name, 'touched');
  }

  forget(name: string): void {
    this.#versions.delete(name);
    this.#owed.delete(name);
    this.#inInitialForm.delete(name);
  }

  forgetAllBut(isKept: (name: string) => boolean): void {
    for (const name of [...this.#versions.keys(), ...this.#owed.keys()]) if (!isKept(name)) this.forget(name);
  }

  /** What the client lacks; changes nothing that a second call would see. */
  difference(served: Served, interest: Interest): Difference {
    this.#retryRefused(served);
    const changed: Resource[] = [];
    const consider = (resource: Resource | undefined): void => {
      if (resource !== undefined && this.#lacks(resource)) changed.push(resource);
    };
    if (interest.isWildcard) for (const resource of served.resources.values()) consider(resource);
    else for (const name of interest.names) consider(served.resources.get(name));
    // Debts count without regard to the interest: a name given up under a wildcard is answered although it is not there.
    const removed = new Set<string>();
    const isGone = (name: string): boolean => !served.resources.has(name) && !served.withheld.has(name);
    for (const name of this.#versions.keys()) if (isGone(name)) removed.add(name);
    for (const [name, debt] of this.#owed) if (debt === 'asked' && isGone(name)) removed.add(name);
    if (changed.length > 0 || removed.size > 0) {
      for (const refusal of this.#refusals)
        for (const name of refusal.removed) if (isGone(name)) removed.add(name);
    }
    return { changed, removed: [...removed] };
  }

  /** Takes note of a response. */
  record(resources: readonly Resource[], removed: readonly string[], isFirst: boolean): Recorded {
    const fresh: string[] = [];
    const initial = new Set<string>();
    for (const { name, version, initialBytes } of resources) {
      const isKnown = this.#versions.get(name) === version;
      if (!isKnown) fresh.push(name);
      const isInitial = initialBytes !== undefined && (isFirst || (isKnown && this.#inInitialForm.has(name)));
      if (isInitial) {
        initial.add(name);
        this.#inInitialForm.add(name);
      } else this.#inInitialForm.delete(name);
      this.#versions.set(name, version);
      this.#owed.delete(name);
    }
    for (const name of removed) this.forget(name);
    return { fresh, initial };
  }

  /** Ends the debts that nothing came of: the resource is not there, or it is refused content. */
  settleDebts(served: Served): void {
    for (const name of this.#owed.keys()) if (!served.withheld.has(name)) this.#owed.delete(name);
  }

  accept({ resources, removed }: SentResponse): void {
    const answered = [...resources.map(({ name }) => name), ...removed];
    for (const refusal of this.#refusals) {
      for (const name of answered) {
        refusal.versions.delete(name);
        refusal.removed.delete(name);
      }
      for (const name of refusal.versions.keys())
        if (!this.#versions.has(name)) refusal.versions.delete(name);
    }
    this.#refusals = this.#refusals.filter(({ versions, removed }) => versions.size + removed.size > 0);
  }

  refuse(response: SentResponse, message: string): void {
    this.accept(response);
    const versions = new Map(response.resources.map(({ name, version }) => [name, version]));
    const blamed = new Set(blamedNames(message, [...versions.keys()]));
    for (const name of versions.keys()) if (!blamed.has(name)) versions.delete(name);
    this.#refusals.push({
      message: withoutContents(message),
      versions,
      removed: new Set(response.removed),
      isRetried: false,
    });
  }

  /** The client's words for what it refuses now; undefined while it refuses nothing. */
  get rejection(): string | undefined {
    return this.#refusals.at(-1)?.message;
  }

  #lacks(resource: Resource): boolean {
    if (this.#versions.get(resource.name) !== resource.version) return true;
    const debt = this.#owed.get(resource.name);
    return debt === 'asked' || (debt === 'touched' && !this.#isRefused(resource));
  }

  #isRefused({ name, version }: Resource): boolean {
    return this.#refusals.some(({ versions, isRetried }) => !isRetried && versions.get(name) === version);
  }

  /**
   * One bad cluster can keep Envoy from applying anything of a response, so what was refused together is sent again as
   * soon as one of them is another. Each such try costs a change of content: no circle.
   */
  #retryRefused({ resources, withheld }: Served): void {
    for (const refusal of this.#refusals) {
      if (refusal.isRetried) continue;
      const entries = [...refusal.versions];
      refusal.isRetried = entries.some(
        ([name, version]) => !withheld.has(name) && resources.get(name)?.version !== version,
      );
      if (!refusal.isRetried) continue;
      for (const [name, version] of entries) if (this.#versions.get(name) === version) this.ask(name);
    }
  }
}
