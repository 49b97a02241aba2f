/**
 * What clients asked, what nodes carried out, what clients were told: and whether the three agree.
 *
 * Every write has a number of its own, which the node finds in its arguments. All nodes of a shard have one truth: a
 * failover loses nothing, so that whatever is lost here the proxy has lost.
 */
import { ReplyError, type Reply } from './replies.ts';
import { stalledSince } from './stalls.ts';
import type { Talk } from './state.ts';

/** What a client has sent before it went is still begun behind a command of its that waits, as long as that may. */
const GONE_MS = 3_000;

/** One client connection. */
export interface Session {
  readonly name: string;
  /** undefined: it is there. */
  endedAt: number | undefined;
  /** The proxy has ended it: what it has not answered it has not begun. */
  isCut: boolean;
  /** It has ended its own direction only: what it has asked may still be carried out. */
  isHalfOpen: boolean;
}

export interface Write {
  readonly token: number;
  readonly key: string;
  readonly session: Session;
  /** Among what its session asked. */
  readonly order: number;
  readonly words: string;
  /** What its client was told: done, certainly not done, neither. */
  told: 'nothing yet' | 'done' | 'not done' | 'perhaps';
  toldAt: number;
  /** Index of the version of its key that it made. */
  version: number | undefined;
  timesCarriedOut: number;
  /** Who did so last. */
  node: string;
  /** Over which connection, where it matters. */
  talk: Talk | undefined;
}

interface Element {
  readonly key: string;
  /** Over which connection of a node's. */
  readonly talk: string;
  /** The client that was told. */
  toldTo: string | undefined;
}

interface Version {
  readonly value: string | null;
  /** undefined: the first one, or made by a part that does not say whose it is. */
  readonly write: Write | undefined;
  readonly at: number;
}

interface Key {
  readonly versions: Version[];
  /** Somebody was told of this version, or of a later one. */
  acknowledged: number;
  readonly lastOrder: Map<Session, Write>;
}

interface Event {
  readonly at: number;
  /** undefined: it concerns all. */
  readonly about: string | undefined;
  readonly text: string;
}

const FIRST_OFFSET = 1_000;
/** So much of what came before a violation is shown. */
const SHOWN = 150;
const SHOWN_MS = 5_000;
const MOST_VIOLATIONS = 5;

/** What Redis and the proxy say of what was not carried out. */
const NOT_DONE =
  /^(?:no upstream host$|upstream failure: (?:redirected|the connection of this transaction)|ERR max number of connections to Redis reached$|MOVED |ASK |TRYAGAIN |CLUSTERDOWN |LOADING |MASTERDOWN |BUSY |READONLY |UNBLOCKED |EXECABORT |NOSCRIPT |Fault Injected: Error$)/;
/** What stands in the place of a command's reply. */
const NEVER_BEGUN = /^Fault Injected: Error$/;
const PERHAPS_DONE = /^upstream failure(?:$|: EXEC got no answer|: the command got no answer)/;

export class Ledger {
  /** One node carries out in order what it gets; what another one gets may come first. */
  isOrderOfNodes = false;
  readonly violations: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly #writes = new Map<string, Write>();
  readonly #keys = new Map<string, Key>();
  readonly #elements = new Map<string, Element>();
  /** By its hash. */
  readonly #loadedAt = new Map<string, number>();
  readonly #writtenAt: number[] = [];
  #events: Event[] = [];
  #token = 1_000;

  newToken(): number {
    this.#token += 1;
    return this.#token;
  }

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  /** Something to be seen beside a violation. */
  note(about: string | undefined, text: string): void {
    this.#events.push({ at: performance.now(), about, text });
    if (this.#events.length > 400_000) this.#events = this.#events.slice(200_000);
  }

  /** `now`: when it went wrong, by `performance.now()`. */
  violation(what: string, about: readonly string[], now = performance.now()): void {
    if (this.violations.length >= MOST_VIOLATIONS) return;
    const shown = this.#events
      .filter(
        ({ at, about: whom }) =>
          Math.abs(now - at) < SHOWN_MS && (whom === undefined || about.some((each) => whom.includes(each))),
      )
      .slice(-SHOWN)
      .map(({ at, text }) => `  ${(at - now).toFixed(1)} ${text}`);
    this.violations.push([what, ...shown].join('\n'));
  }

  asked(write: Pick<Write, 'token' | 'key' | 'session' | 'order' | 'words'>): Write {
    const noted: Write = {
      ...write,
      told: 'nothing yet',
      toldAt: 0,
      version: undefined,
      timesCarriedOut: 0,
      node: '',
      talk: undefined,
    };
    this.#writes.set(`${write.token} ${write.key}`, noted);
    return noted;
  }

  key(name: string): Key {
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    const key: Key = {
      versions: [{ value: null, write: undefined, at: 0 }],
      acknowledged: 0,
      lastOrder: new Map(),
    };
    this.#keys.set(name, key);
    return key;
  }

  /** What is there now. */
  value(name: string): string | null {
    return this.key(name).versions.at(-1)?.value ?? null;
  }

  /** By key: how many versions there are. */
  versions(): ReadonlyMap<string, number> {
    return new Map(Array.from(this.#keys, ([key, { versions }]) => [key, versions.length]));
  }

  /** Keys that are there now, with what is known of each. */
  there(): readonly { readonly key: string; readonly version: number }[] {
    return [...this.#keys].flatMap(([key, { versions }]) =>
      versions.at(-1)!.value === null ? [] : [{ key, version: versions.length - 1 }],
    );
  }

  /** Since `version` it was there all the time. */
  hasStayed(key: string, version: number): boolean {
    return this.key(key)
      .versions.slice(version)
      .every(({ value }) => value !== null);
  }

  valueBefore(name: string, at: number): string | null {
    return this.key(name).versions.findLast((version) => version.at <= at)?.value ?? null;
  }

  /** How many writes there were. */
  offsetAt(at: number): number {
    return FIRST_OFFSET + 1 + this.#writtenAt.findLastIndex((each) => each <= at);
  }

  /** `token` undefined: the command does not say. `arrivedAt`: at the node. */
  carriedOut(
    name: string,
    value: string | null,
    token: number | undefined,
    {
      node,
      arrivedAt,
      talk,
    }: { readonly node: string; readonly arrivedAt: number; readonly talk?: Talk | undefined },
  ): void {
    const key = this.key(name);
    const write = token === undefined ? undefined : this.#writes.get(`${token} ${name}`);
    this.#writtenAt.push(performance.now());
    const index = key.versions.push({ value, write, at: performance.now() }) - 1;
    if (write === undefined) return;
    write.version = index;
    write.timesCarriedOut += 1;
    write.node = node;
    // While it waits nothing is carried out: of one that was lost in the moment in which it did, nobody knows.
    const isForgotten = write.words.startsWith('BLMOVE') && write.talk?.isReset === true;
    write.talk = talk;
    const { session, words } = write;
    const about = [name, session.name];
    const said = `${words} of ${session.name} at ${node}`;
    if (isForgotten) this.count('moved again');
    else if (write.timesCarriedOut > 1) this.violation(`carried out twice: ${said}`, about);
    if (write.told === 'not done')
      this.violation(`carried out, though its client was told it was not: ${said}`, about);
    const { endedAt = Infinity, isHalfOpen } = session;
    if (!isHalfOpen && arrivedAt > endedAt + GONE_MS && arrivedAt > endedAt + GONE_MS + stalledSince(endedAt))
      this.violation(`sent long after its client had gone: ${said}`, about);
    const last = key.lastOrder.get(session);
    // Lost on its way to a node: nobody knows when that one carries it out.
    const isLate = write.told === 'perhaps' || (this.isOrderOfNodes && last?.node !== node);
    if (last !== undefined && last.order > write.order && !isLate)
      this.violation(`carried out behind ${last.words}, which was asked later: ${said}`, about);
    if (last === undefined || last.order < write.order) key.lastOrder.set(session, write);
  }

  /** `isOne`: of one key, or carried out as a whole. Returns whether it was carried out, as far as its client knows. */
  told(writes: readonly Write[], reply: Reply, isOne: boolean): void {
    const text = reply instanceof ReplyError ? reply.text : undefined;
    for (const write of writes) {
      const { session, words, key, timesCarriedOut } = write;
      const about = [key, session.name];
      write.toldAt = performance.now();
      if (text === undefined) {
        write.told = 'done';
        if (timesCarriedOut === 0 && !words.startsWith('DEL '))
          this.violation(`acknowledged, but not carried out: ${words} of ${session.name}`, about);
        const known = this.key(key);
        known.acknowledged = Math.max(known.acknowledged, write.version ?? 0);
      } else if (NOT_DONE.test(text) && (isOne || NEVER_BEGUN.test(text))) {
        write.told = 'not done';
        this.count(`told: ${text.split(' ', 2).join(' ').replace(/\d+/g, 'N')}`);
        if (timesCarriedOut > 0)
          this.violation(
            `carried out, but its client was told "${text}": ${words} of ${session.name}`,
            about,
          );
      } else {
        write.told = 'perhaps';
        this.count(`told: ${text.split(' ', 2).join(' ').replace(/\d+/g, 'N')}`);
        if (!PERHAPS_DONE.test(text) && !NOT_DONE.test(text))
          this.violation(`unexpected error "${text}": ${words} of ${session.name}`, about);
      }
    }
  }

  /** Of clients that the proxy has sent away. */
  checkUnanswered(): void {
    for (const { session, told, timesCarriedOut, words, key, node } of this.#writes.values()) {
      if (!session.isCut || told !== 'nothing yet') continue;
      this.count('never answered');
      if (timesCarriedOut > 0)
        this.violation(`carried out, and never answered: ${words} of ${session.name} at ${node}`, [
          key,
          session.name,
        ]);
    }
  }

  /** By all primaries. */
  loaded(sha: string, askedAt: number): void {
    this.#loadedAt.set(sha, Math.max(this.#loadedAt.get(sha) ?? 0, askedAt));
  }

  /** When that was asked for, the last time; undefined: never. */
  loadedAt(sha: string): number | undefined {
    return this.#loadedAt.get(sha);
  }

  popped(key: string, element: string, talk: string): void {
    if (this.#elements.has(element)) this.violation(`popped twice: ${element} of ${key} at ${talk}`, [key]);
    this.#elements.set(element, { key, talk, toldTo: undefined });
    this.count('pops');
  }

  took(key: string, element: string, { name }: Session): void {
    const known = this.#elements.get(element);
    if (known === undefined || known.key !== key)
      return this.violation(`${name} got ${element} of ${key}, which nobody popped`, [key, name]);
    if (known.toldTo !== undefined)
      this.violation(`${name} got ${element} of ${key}, as did ${known.toldTo}`, [key, name]);
    known.toldTo = name;
  }

  /** Popped, and nobody was told. */
  lostElements(): readonly { readonly text: string; readonly talk: string }[] {
    return [...this.#elements].flatMap(([element, { key, talk, toldTo }]) =>
      toldTo === undefined ? [{ text: `${element} of ${key} at ${talk}`, talk }] : [],
    );
  }

  /** Whether a read may have seen that; `from`: the oldest version that it may be; `order`: undefined: of any time. */
  seen(
    name: string,
    value: string | null,
    { session, order, from }: { readonly session: Session; readonly order?: number; readonly from: number },
  ): void {
    const { versions } = this.key(name);
    const about = [name, session.name];
    const shown = value === null ? 'nil' : value.slice(-60);
    const found = versions.findLastIndex((version) => version.value === value);
    if (found < 0) return this.violation(`${session.name} saw what ${name} never was: ${shown}`, about);
    if (order === undefined) return;
    if (found < from) {
      const lacks = versions[from]?.write?.words ?? 'what was acknowledged';
      return this.violation(`${session.name} saw ${name} as ${shown}, without ${lacks}`, about);
    }
    const isEarly = versions.some(
      (version, index) => index >= from && version.value === value && !isLater(version, session, order),
    );
    if (!isEarly)
      this.violation(`${session.name} saw ${name} as ${shown}, which it asked for only later`, about);
  }
}

function isLater({ write }: Version, session: Session, order: number): boolean {
  return write !== undefined && write.session === session && write.order > order;
}
