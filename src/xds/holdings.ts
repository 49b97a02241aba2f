/**
 * What a client holds of one type on one stream, as far as its server can know: what it was sent, the names it is owed an
 * answer for, and what it refused.
 *
 * A version that was refused counts as sent: so it is not sent again before it changes or a retry is due.
 *
 * A client that has been sent everything holds what the set that it was sent from has, and nothing else is remembered of
 * it: a stream costs no list of its own, and what it lacks of a later set is a transition that all streams share.
 */
import type { Resource } from '../envoy/resource.ts';
import { ResourceSet, type Transition } from '../envoy/resource-set.ts';
import { covers, NO_SCOPE, type Scope } from './interest.ts';
import type { SentResponse } from './outstanding.ts';
import { Refusals } from './refusals.ts';
import { type Difference, NO_RESOURCES, type Served } from './served.ts';

/**
 * `asked`: answered in any case. `retried`: as well, and refused before. `touched`: sent again because its cluster
 * changed, but not if it was refused.
 */
type Debt = 'asked' | 'retried' | 'touched';

export class Holdings {
  /** undefined: it has never refused anything, as nearly all. */
  #refusals: Refusals | undefined;
  /** The client holds what this set has of that scope … */
  #base = ResourceSet.empty;
  #scope = NO_SCOPE;
  /** … but for these: the version it holds instead, or undefined where it lacks the name. */
  readonly #apart = new Map<string, string | undefined>();
  readonly #owed = new Map<string, Debt>();

  /** The client's own account of what it has. */
  adopt(known: Iterable<readonly [name: string, version: string]>): void {
    for (const [name, version] of known) this.#apart.set(name, version);
  }

  /** The client holds all of it. */
  assume({ resources, withheld }: Served, scope: Scope): void {
    const kept: [string, string][] = [];
    for (const name of withheld) {
      const version = this.#held(name);
      if (version !== undefined) kept.push([name, version]);
    }
    this.#base = resources;
    this.#scope = scope;
    // An empty map, too, makes itself a new table when it is cleared.
    if (this.#apart.size > 0) this.#apart.clear();
    this.adopt(kept);
  }

  has(name: string): boolean {
    return this.#held(name) !== undefined;
  }

  /** Those of which it has no version; all of them for a client that has nothing, as most that start. */
  lacking(resources: readonly Resource[]): readonly Resource[] {
    if (this.#base.size + this.#apart.size === 0) return resources;
    return resources.filter(({ name }) => {
      const version = this.#held(name);
      return version === undefined || this.#refusals?.isLacked(name, version) === true;
    });
  }

  /** Whether the client was sent that version; and the words with which it refused it, if it did. */
  outcomeOf(
    name: string,
    version: string,
  ): { readonly isSent: boolean; readonly rejection: string | undefined } {
    return { isSent: this.#held(name) === version, rejection: this.#refusals?.wordsFor(name, version) };
  }

  /** What the client holds and the set lacks. */
  goneFrom(set: ResourceSet): readonly string[] {
    const { removed } = set.since(this.#base);
    if (removed.length + this.#apart.size === 0) return removed;
    const gone = removed.filter((name) => !this.#apart.has(name) && this.has(name));
    for (const [name, version] of this.#apart) if (version !== undefined && !set.has(name)) gone.push(name);
    return gone;
  }

  ask(name: string): void {
    if (this.#owed.get(name) !== 'retried') this.#owed.set(name, 'asked');
  }

  touch(name: string): void {
    if (!this.#owed.has(name)) this.#owed.set(name, 'touched');
  }

  /** The client wants it no more. */
  forget(name: string): void {
    this.#owed.delete(name);
    if (covers(this.#scope, name) && this.#base.has(name)) this.#apart.set(name, undefined);
    else this.#apart.delete(name);
    this.#refusals?.keep((other) => other !== name);
  }

  /** Rare: it goes through everything. */
  forgetAllBut(isKept: (name: string) => boolean): void {
    const held = this.#base.list.filter(({ name }) => covers(this.#scope, name) && !this.#apart.has(name));
    this.adopt(held.map(({ name, version }) => [name, version]));
    this.#base = ResourceSet.empty;
    this.#scope = NO_SCOPE;
    for (const [name, version] of this.#apart)
      if (version === undefined || !isKept(name)) this.#apart.delete(name);
    for (const name of this.#owed.keys()) if (!isKept(name)) this.#owed.delete(name);
    this.#refusals?.keep(isKept);
  }

  /** What the client lacks; changes nothing that a second call would see. */
  difference(served: Served, scope: Scope): Difference {
    if (this.#refusals?.isEmpty === false) this.#retry(this.#refusals.takeChanged(served));
    const step = served.resources.since(this.#base);
    const isSameScope = scope === this.#scope || this.#base.size === 0;
    const isPlain = this.#apart.size + this.#owed.size + served.withheld.size === 0;
    if (isSameScope && isPlain && this.#refusals?.isEmpty !== false) {
      const content = scope.isWildcard ? step : within(step, scope);
      return { content, removed: content.removed, fresh: content.resources, retried: NO_RESOURCES };
    }
    const resources = new Map<string, Resource>();
    for (const resource of this.#candidates(served, scope, step)) {
      if (covers(scope, resource.name) && this.#lacks(resource)) resources.set(resource.name, resource);
    }
    // Debts count without regard to the scope: a name given up under a wildcard is answered although it is not there.
    const removed = new Set<string>();
    const isGone = (name: string): boolean => !served.resources.has(name) && !served.withheld.has(name);
    for (const name of step.removed) if (this.has(name) && isGone(name)) removed.add(name);
    for (const [name, version] of this.#apart) if (version !== undefined && isGone(name)) removed.add(name);
    for (const [name, debt] of this.#owed) if (debt !== 'touched' && isGone(name)) removed.add(name);
    if (resources.size > 0 || removed.size > 0) {
      for (const name of this.#refusals?.removed() ?? []) if (isGone(name)) removed.add(name);
    }
    const changed = [...resources.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const content = { version: step.version, resources: changed, removed: [...removed].sort() };
    return {
      content,
      removed: content.removed,
      fresh: changed.filter(({ name, version }) => this.#held(name) !== version),
      retried: changed.filter(
        ({ name, version }) => this.#owed.get(name) === 'retried' && this.#held(name) === version,
      ),
    };
  }

  /** Everything that the client lacked has been sent, or it lacked nothing. */
  sent(served: Served, scope: Scope): void {
    this.assume(served, scope);
    // Nothing came of some debts: the resource is not there, or it is refused content.
    for (const name of this.#owed.keys()) if (!served.withheld.has(name)) this.#owed.delete(name);
  }

  accept(response: SentResponse): void {
    this.#refusals?.settle(response, (name) => this.has(name));
  }

  refuse(response: SentResponse, message: string, nowMs: number, scope: Scope): void {
    this.#refusals ??= new Refusals();
    this.#refusals.add(response, message, nowMs, {
      isHeld: (name) => this.has(name),
      isWanted: (name) => covers(scope, name),
    });
  }

  /** These are gone, which can't be told: what was refused of them is of no interest any more. */
  endRefusals(names: readonly string[]): void {
    if (this.#refusals?.isEmpty === false) this.#refusals.keep((name) => !names.includes(name));
  }

  endAllRefusals(): void {
    this.#refusals = undefined;
  }

  /** Gives what was refused long enough ago another chance; returns whether there was any. */
  retryDue(nowMs: number): boolean {
    if (this.#refusals?.isEmpty !== false) return false;
    return this.#retry(this.#refusals.takeDue(nowMs));
  }

  /** When `retryDue` has something to do. */
  retryAt(): number | undefined {
    return this.#refusals?.retryAt();
  }

  /** The client's words for what it refuses now; undefined while it refuses nothing. */
  get rejection(): string | undefined {
    return this.#refusals?.message;
  }

  /** Of something that it refuses now it may have an older version. */
  get mayKeepOlder(): boolean {
    return this.#refusals?.mayKeepOlder === true;
  }

  #held(name: string): string | undefined {
    if (this.#apart.has(name)) return this.#apart.get(name);
    return covers(this.#scope, name) ? this.#base.get(name)?.version : undefined;
  }

  #retry({ versions, removed }: ReturnType<Refusals['takeDue']>): boolean {
    for (const [name, version] of versions) if (this.#held(name) === version) this.#owed.set(name, 'retried');
    for (const name of removed) this.#owed.set(name, 'retried');
    return versions.length + removed.length > 0;
  }

  /** All that the client may lack, and perhaps more. */
  *#candidates({ resources }: Served, scope: Scope, step: Transition): Iterable<Resource> {
    if (scope.isWildcard && !this.#scope.isWildcard) {
      yield* resources.list;
      return;
    }
    const names = [...this.#apart.keys(), ...this.#owed.keys()];
    if (scope.isWildcard || step.resources.length < scope.names.size) yield* step.resources;
    else names.push(...scope.names);
    for (const name of names) {
      const resource = resources.get(name);
      if (resource !== undefined) yield resource;
    }
  }

  #lacks(resource: Resource): boolean {
    const { name, version } = resource;
    if (this.#held(name) !== version) return true;
    const debt = this.#owed.get(name);
    if (debt === 'touched') return this.#refusals?.isParked(name, version) !== true;
    return debt !== undefined;
  }
}

/** The transition itself where all of it is in scope: then it is shared. */
function within(step: Transition, { names }: Scope): Transition {
  const resources = step.resources.filter(({ name }) => names.has(name));
  const removed = step.removed.filter((name) => names.has(name));
  const isWhole = resources.length === step.resources.length && removed.length === step.removed.length;
  return isWhole ? step : { version: step.version, resources, removed };
}
