/**
 * Streams against a client that subscribes to what it likes, as gRPC's own does: names come and go in any type, `*` too,
 * responses are refused whole or in part, and the client reconnects with what it has.
 *
 * In the end it has exactly what is served of what it has subscribed to, and nothing more is said.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { TypeUrl } from '../../../src/envoy/resource.ts';
import type { Variant, XdsRequest } from '../../../src/xds/requests.ts';
import { ANSWER_LIMIT_MS, XdsStream } from '../../../src/xds/stream.ts';
import type { Response } from '../../../src/xds/subscription.ts';
import { type ShortType, snapshotOf, type Spec, typeOf } from '../talk.ts';
import { checkRuns, NAMES, type Random, randomList, type Scene, type Step, TYPES, wordsOf } from './runs.ts';

const DRAIN_MS = 4_000;

/** One type of the client. */
interface Part {
  readonly held: Map<string, string>;
  readonly names: Set<string>;
  isWildcard: boolean;
  /** State of the world: a name was said on this stream, so that an empty list means nothing. */
  hasNamed: boolean;
  isSubscribed: boolean;
  nonce: string;
  version: string;
}

class Subscriber implements Scene {
  readonly #variant: Variant;
  readonly #isAggregated: boolean;
  #now = 0;
  #spec: Spec = {};
  #streams: ReadonlyMap<string, XdsStream>;
  #parts: Readonly<Record<ShortType, Part>>;
  #toClient: Response[] = [];
  #toServer: XdsRequest[] = [];
  readonly #inFlight = new Map<string, { nonce: string; sentMs: number }>();
  #mayRefuse = true;
  #isStalled = false;

  constructor(variant: Variant, isAggregated: boolean) {
    this.#variant = variant;
    this.#isAggregated = isAggregated;
    this.#streams = this.#open();
    this.#parts = { CDS: newPart(), EDS: newPart(), LDS: newPart() };
  }

  step(step: Step): void {
    switch (step.do) {
      case 'hear':
        this.#hear(step.refuse);
        break;
      case 'reach':
        this.#reach();
        break;
      case 'pass':
        this.#pass(step.ms);
        break;
      case 'serve':
        this.#spec = step.spec;
        for (const stream of this.#streams.values()) stream.setSnapshot(snapshotOf(step.spec));
        this.#listen();
        break;
      case 'reconnect':
        this.#reconnect();
        break;
      case 'stall':
      case 'resume':
        this.#isStalled = step.do === 'stall';
        this.#listen();
        break;
      case 'die':
      case 'revive':
        throw new Error('this client warms nothing');
      case 'subscribe':
      case 'unsubscribe':
        this.#change(step.type, step.do === 'subscribe', step.names);
        break;
    }
  }

  end(): void {
    this.#mayRefuse = false;
    this.#isStalled = false;
    // Longer than a retry and a drain time take.
    for (let quiet = 0; quiet < 4; quiet += 1) {
      while (this.#reach() || this.#hear()) quiet = 0;
      this.#pass(310_000);
    }
    for (const type of TYPES) {
      const { held, names, isWildcard } = this.#parts[type];
      const expected = wordsOf(this.#spec[type]).filter(
        (word) => isWildcard || names.has(word.split('@')[0] ?? ''),
      );
      // In the state of the world nobody says that endpoints are gone.
      const isTold = (name: string): boolean =>
        this.#variant === 'delta' || type !== 'EDS' || expected.some((word) => word.startsWith(`${name}@`));
      const has = [...held].filter(([name]) => isTold(name)).map(([name, version]) => `${name}@${version}`);
      assert.deepEqual(has.sort(), expected.sort(), type);
    }
    assert.deepEqual(
      [...this.#streams.values()].flatMap((stream) =>
        stream.states().flatMap(({ rejection }) => rejection ?? []),
      ),
      [],
      'nothing is refused any more',
    );
    this.#pass(3_600_000);
    assert.deepEqual(this.#toClient, [], 'silence');
  }

  #pass(ms: number): void {
    this.#now += ms;
    this.#listen();
  }

  /** One for all types, or one for each. */
  #open(): ReadonlyMap<string, XdsStream> {
    const open = (only: TypeUrl | undefined): XdsStream => {
      const stream = new XdsStream({ variant: this.#variant, only }, DRAIN_MS);
      stream.setSnapshot(snapshotOf(this.#spec));
      return stream;
    };
    const aggregated = open(undefined);
    return new Map(TYPES.map(typeOf).map((type) => [type, this.#isAggregated ? aggregated : open(type)]));
  }

  #reconnect(): void {
    this.#streams = this.#open();
    this.#toClient = [];
    this.#toServer = [];
    this.#isStalled = false;
    this.#inFlight.clear();
    for (const type of TYPES) {
      const part = this.#parts[type];
      part.nonce = '';
      part.hasNamed = false;
      part.isSubscribed = part.isWildcard || part.names.size > 0;
      if (part.isSubscribed) this.#first(type);
    }
  }

  #first(type: ShortType): void {
    const { names, isWildcard, held } = this.#parts[type];
    const subscribe = isWildcard && names.size > 0 ? ['*', ...names] : [...names];
    this.#say(type, { subscribe, known: new Map(held) });
  }

  #change(type: ShortType, isSubscribe: boolean, given: readonly string[]): void {
    const part = this.#parts[type];
    const names = type === 'EDS' ? given.filter((name) => name !== '*') : given;
    for (const name of names) {
      if (name === '*') part.isWildcard = isSubscribe;
      else if (isSubscribe) part.names.add(name);
      else part.names.delete(name);
    }
    for (const name of part.held.keys()) if (!covers(part, name)) part.held.delete(name);
    if (!part.isSubscribed) {
      part.isSubscribed = part.isWildcard || part.names.size > 0;
      if (part.isSubscribed) this.#first(type);
      return;
    }
    if (names.length > 0) this.#say(type, isSubscribe ? { subscribe: names } : { unsubscribe: names });
  }

  #reach(): boolean {
    const request = this.#toServer.shift();
    if (request === undefined) return false;
    const inFlight = this.#inFlight.get(request.typeUrl);
    if (inFlight?.nonce === request.nonce) this.#inFlight.delete(request.typeUrl);
    this.#streams.get(request.typeUrl)?.request(request, this.#now);
    this.#listen();
    return true;
  }

  #hear(refuse?: 'all' | 'first'): boolean {
    const response = this.#toClient.shift();
    if (response === undefined) return false;
    const type = TYPES.find((type) => typeOf(type) === response.typeUrl);
    assert.ok(type);
    const part = this.#parts[type];
    const { resources } = response.content;
    const bad = this.#mayRefuse && refuse === 'first' ? resources[0]?.name : undefined;
    const isRefused = this.#mayRefuse && (refuse === 'all' || bad !== undefined);
    part.nonce = response.nonce;
    if (!(isRefused && bad === undefined)) this.#apply(type, response, bad);
    if (!isRefused) part.version = response.content.version;
    const error = bad === undefined ? 'no' : `${bad}: no`;
    this.#say(type, { nonce: response.nonce, ...(isRefused ? { error } : {}) });
    return true;
  }

  #apply(type: ShortType, { content: { resources, removed } }: Response, bad: string | undefined): void {
    const part = this.#parts[type];
    const isFullSet = this.#variant !== 'delta' && type !== 'EDS';
    const names = new Set(resources.map(({ name }) => name));
    if (isFullSet) for (const name of part.held.keys()) if (!names.has(name)) part.held.delete(name);
    if (this.#variant === 'delta') for (const name of removed) part.held.delete(name);
    for (const { name, version } of resources) {
      if (name !== bad && covers(part, name)) part.held.set(name, version);
    }
  }

  /** The stream's words go onto the wire. */
  #listen(): void {
    for (const stream of new Set(this.#streams.values())) this.#listenTo(stream);
  }

  #listenTo(stream: XdsStream): void {
    while (!this.#isStalled) {
      const response = stream.next(this.#now);
      if (response === undefined) return;
      const { typeUrl, nonce, content } = response;
      const inFlight = this.#inFlight.get(typeUrl);
      const isFree = inFlight === undefined || this.#now >= inFlight.sentMs + ANSWER_LIMIT_MS;
      assert.ok(isFree, `${typeUrl} ${nonce} sent while ${inFlight?.nonce} was in flight`);
      this.#inFlight.set(typeUrl, { nonce, sentMs: this.#now });
      const names = content.resources.map(({ name }) => name);
      if (this.#variant === 'delta') names.push(...content.removed);
      assert.equal(new Set(names).size, names.length, 'a name twice');
      this.#toClient.push(response);
    }
  }

  #say(
    type: ShortType,
    words: {
      readonly subscribe?: readonly string[];
      readonly unsubscribe?: readonly string[];
      readonly known?: ReadonlyMap<string, string>;
      readonly nonce?: string;
      readonly error?: string;
    },
  ): void {
    const part = this.#parts[type];
    const { subscribe = [], unsubscribe = [], known = new Map<string, string>(), nonce = '', error } = words;
    if (this.#variant === 'delta') {
      const base = { typeUrl: typeOf(type), nonce, error };
      this.#toServer.push({ ...base, variant: 'delta', subscribe, unsubscribe, known });
      return;
    }
    // Nothing said yet and everything wanted: the old form; else all in so many words.
    const isOldForm = part.isWildcard && part.names.size === 0 && !part.hasNamed;
    const names = isOldForm ? [] : [...(part.isWildcard ? ['*'] : []), ...part.names];
    part.hasNamed ||= names.length > 0;
    this.#toServer.push({
      typeUrl: typeOf(type),
      nonce: part.nonce,
      error,
      variant: 'state of the world',
      version: part.version,
      names,
    });
  }
}

function newPart(): Part {
  return {
    held: new Map(),
    names: new Set(),
    isWildcard: false,
    hasNamed: false,
    isSubscribed: false,
    nonce: '',
    version: '',
  };
}

function covers({ names, isWildcard }: Part, name: string): boolean {
  return isWildcard || names.has(name);
}

function randomStep(random: Random, index: number): Step {
  const dice = random(24);
  if (dice < 7) return { do: 'hear' };
  if (dice < 9) return { do: 'hear', refuse: random(2) === 0 ? 'all' : 'first' };
  if (dice < 15) return { do: 'reach' };
  if (dice < 17) return { do: 'pass', ms: random(7_000) };
  if (dice < 19) {
    const list = (): string => randomList(random, index);
    return { do: 'serve', spec: { CDS: list(), EDS: list(), LDS: list() } };
  }
  if (dice < 20) {
    const rare: readonly Step[] = [{ do: 'reconnect' }, { do: 'stall' }, { do: 'resume' }, { do: 'resume' }];
    return rare[random(6)] ?? { do: 'reach' };
  }
  const names = [...NAMES, '*'].filter(() => random(3) === 0);
  return {
    do: dice < 22 ? 'subscribe' : 'unsubscribe',
    type: TYPES[random(3)] ?? 'CDS',
    names,
  };
}

for (const [variant, isAggregated] of [
  ['state of the world', true],
  ['delta', true],
  ['state of the world', false],
  ['delta', false],
] as const) {
  test(`${variant}, ${isAggregated ? 'one stream' : 'a stream for each type'}: after any interleaving the client has exactly what it subscribed to, in 1,500 runs`, () => {
    checkRuns({
      runs: 1_500,
      steps: 80,
      scene: () => new Subscriber(variant, isAggregated),
      step: randomStep,
    });
  });
}
