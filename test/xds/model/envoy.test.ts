/**
 * Streams against a model of Envoy, in thousands of random interleavings of changes, messages, refusals and time.
 *
 * A service is a listener, the cluster it uses and that cluster's endpoints, all of one name. What must hold at any
 * moment: no listener without its cluster, also not while it drains; one response in flight per type. What must hold in
 * the end: the client has what the last snapshot has, and no cluster waits for endpoints.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Variant, XdsRequest } from '../../../src/xds/requests.ts';
import { ANSWER_LIMIT_MS, XdsStream } from '../../../src/xds/stream.ts';
import type { Response } from '../../../src/xds/subscription.ts';
import { type ShortType, snapshotOf, type Spec, typeOf } from '../talk.ts';
import { checkRuns, NAMES, type Random, randomList, type Scene, type Step, TYPES, wordsOf } from './runs.ts';

const DRAIN_MS = 4_000;

type Held = Record<ShortType, Map<string, string>>;

/** Envoy, as far as a server can tell; and the wires in both directions, which keep their order. */
class Envoy implements Scene {
  #now = 0;
  readonly #held: Held = { CDS: new Map(), EDS: new Map(), LDS: new Map() };
  readonly #variant: Variant;
  #stream: XdsStream;
  #spec: Spec = {};
  #toClient: Response[] = [];
  #toServer: XdsRequest[] = [];
  /** Clusters that were added or changed and wait for endpoints. */
  readonly #warming = new Set<string>();
  /** Of these, the ones that have their endpoints, and only wait for their Redis. */
  readonly #unreached = new Set<string>();
  /** CDS answers held back while a cluster is warming. */
  #withheld: { readonly nonce: string; readonly error?: string }[] = [];
  readonly #lastVersion: Record<ShortType, string> = { CDS: '', EDS: '', LDS: '' };
  readonly #lastNonce: Record<ShortType, string> = { CDS: '', EDS: '', LDS: '' };
  #endpointNames: readonly string[] = [];
  /** When the client gave up a listener. */
  readonly #unusedSince = new Map<string, number>();
  readonly #inFlight = new Map<string, { nonce: string; sentMs: number }>();
  #mayRefuse = true;
  #isStalled = false;
  /** Came back while a cluster was warming, which keeps it from asking for clusters. */
  #isUnasked = false;
  /** Their Redis is down. */
  readonly #dead = new Set<string>();

  constructor(variant: Variant) {
    this.#variant = variant;
    this.#stream = new XdsStream({ variant, only: undefined }, DRAIN_MS, { mustAsk: false });
    this.#connect();
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
        this.#stream.setSnapshot(snapshotOf(step.spec));
        this.#listen();
        break;
      case 'reconnect':
        this.#connect();
        break;
      case 'stall':
      case 'resume':
        this.#isStalled = step.do === 'stall';
        this.#listen();
        break;
      case 'die':
        this.#dead.add(step.name);
        break;
      case 'revive':
        this.#revive(step.name);
        break;
      case 'subscribe':
      case 'unsubscribe':
        throw new Error('an Envoy asks for what it needs');
    }
  }

  /** Everything arrives, and time goes by. */
  end(): void {
    this.#mayRefuse = false;
    this.#isStalled = false;
    for (const name of this.#dead) this.#revive(name);
    // Longer than a retry and a drain time take.
    for (let quiet = 0; quiet < 4; quiet += 1) {
      while (this.#reach() || this.#hear()) quiet = 0;
      this.#pass(310_000);
    }
    assert.deepEqual([...this.#warming], [], 'clusters wait for endpoints for ever');
    for (const type of TYPES) {
      const has = Array.from(this.#held[type], ([name, version]) => `${name}@${version}`);
      assert.deepEqual(has.sort(), wordsOf(this.#spec[type]).sort(), type);
    }
  }

  #connect(): void {
    this.#stream = new XdsStream({ variant: this.#variant, only: undefined }, DRAIN_MS, { mustAsk: false });
    this.#stream.setSnapshot(snapshotOf(this.#spec));
    this.#toClient = [];
    this.#toServer = [];
    this.#withheld = [];
    this.#isStalled = false;
    this.#inFlight.clear();
    this.#isUnasked = this.#warming.size > 0;
    for (const type of TYPES) {
      this.#lastNonce[type] = '';
      if (type === 'CDS' && this.#isUnasked) continue;
      this.#toServer.push(
        this.#request(type, { isFirst: true, subscribe: type === 'EDS' ? this.#endpointNames : [] }),
      );
    }
  }

  #pass(ms: number): void {
    this.#now += ms;
    this.#listen();
  }

  /** The next message of one direction arrives; false: there is none. */
  #reach(): boolean {
    const request = this.#toServer.shift();
    if (request === undefined) return false;
    const inFlight = this.#inFlight.get(request.typeUrl);
    if (inFlight?.nonce === request.nonce || request.nonce === '') this.#inFlight.delete(request.typeUrl);
    this.#stream.request(request, this.#now);
    this.#listen();
    return true;
  }

  #hear(refuse?: 'all' | 'first'): boolean {
    const response = this.#toClient.shift();
    if (response === undefined) return false;
    const type = TYPES.find((type) => typeOf(type) === response.typeUrl);
    assert.ok(type);
    this.#lastNonce[type] = response.nonce;
    if (type === 'LDS' && this.#mayRefuse && refuse !== undefined) {
      this.#toServer.push(this.#request(type, { error: 'not this time' }));
      return true;
    }
    const bad = type === 'CDS' && refuse === 'first' ? this.#changedIn(response) : undefined;
    this.#apply(type, response, bad);
    if (bad === undefined) this.#lastVersion[type] = response.content.version;
    if (type === 'CDS')
      this.#withheld.push({
        nonce: response.nonce,
        ...(bad === undefined ? {} : { error: `${bad}: not so` }),
      });
    else this.#toServer.push(this.#request(type));
    if (type === 'CDS') this.#followClusters();
    this.#answerClusters();
    return true;
  }

  /** The first cluster of these that it has in another version: refused, that one stays. */
  #changedIn({ content: { resources } }: Response): string | undefined {
    // In the state of the world a server does not hear of a refusal that a later full set has overtaken.
    if (!this.#mayRefuse || this.#variant !== 'delta') return undefined;
    return resources.find(({ name, version }) => (this.#held.CDS.get(name) ?? version) !== version)?.name;
  }

  #revive(name: string): void {
    this.#dead.delete(name);
    if (this.#unreached.delete(name)) this.#warming.delete(name);
    this.#answerClusters();
  }

  /** The stream's words go onto the wire. */
  #listen(): void {
    while (!this.#isStalled) {
      const response = this.#stream.next(this.#now);
      if (response === undefined) return;
      const {
        typeUrl,
        nonce,
        content: { resources, removed },
      } = response;
      const inFlight = this.#inFlight.get(typeUrl);
      const isFree = inFlight === undefined || this.#now >= inFlight.sentMs + ANSWER_LIMIT_MS;
      assert.ok(isFree, `${typeUrl} ${nonce} sent while ${inFlight?.nonce} was in flight`);
      this.#inFlight.set(typeUrl, { nonce, sentMs: this.#now });
      const names = resources.map(({ name }) => name);
      if (this.#variant === 'delta') names.push(...removed);
      assert.equal(new Set(names).size, names.length, 'a name twice');
      this.#toClient.push(response);
    }
  }

  #apply(type: ShortType, { content: { resources, removed } }: Response, bad: string | undefined): void {
    const held = this.#held[type];
    const before = new Map(held);
    if (this.#variant === 'delta') for (const name of type === 'EDS' ? [] : removed) held.delete(name);
    else if (type !== 'EDS') held.clear();
    const isWanted = (name: string): boolean => type !== 'EDS' || this.#endpointNames.includes(name);
    for (const { name, version } of resources) {
      if (name === bad) held.set(name, before.get(name) ?? version);
      else if (isWanted(name)) held.set(name, version);
    }
    if (type === 'EDS') {
      // That there are none ends the waiting, too.
      for (const name of [...resources.map((resource) => resource.name), ...removed]) {
        if (!this.#dead.has(name)) this.#warming.delete(name);
        else if (this.#warming.has(name)) this.#unreached.add(name);
      }
    }
    if (type === 'CDS') {
      for (const [name, version] of held) {
        if (before.get(name) === version) continue;
        this.#warming.add(name);
        this.#unreached.delete(name);
      }
      for (const name of before.keys()) if (!held.has(name)) this.#checkRemoval(name);
    }
    if (type === 'LDS') {
      for (const name of before.keys()) if (!held.has(name)) this.#unusedSince.set(name, this.#now);
      for (const name of held.keys()) this.#unusedSince.delete(name);
    }
    for (const name of this.#held.LDS.keys())
      assert.ok(this.#held.CDS.has(name), `listener ${name} without its cluster`);
  }

  #checkRemoval(name: string): void {
    this.#warming.delete(name);
    this.#unreached.delete(name);
    const since = this.#unusedSince.get(name);
    if (since !== undefined)
      assert.ok(this.#now >= since + DRAIN_MS, `cluster ${name} removed before it was drained`);
  }

  /** Endpoints are wanted for exactly the clusters there are. */
  #followClusters(): void {
    const names = [...this.#held.CDS.keys()];
    const before = this.#endpointNames;
    const subscribe = names.filter((name) => !before.includes(name));
    const unsubscribe = before.filter((name) => !names.includes(name));
    this.#endpointNames = names;
    for (const name of unsubscribe) this.#held.EDS.delete(name);
    if (subscribe.length + unsubscribe.length === 0) return;
    // Of its own accord: no answer in delta; in the state of the world it repeats the last nonce.
    this.#toServer.push(this.#request('EDS', { subscribe, unsubscribe, isSpontaneous: true }));
  }

  #answerClusters(): void {
    if (this.#warming.size > 0) return;
    const answers = this.#variant === 'delta' ? this.#withheld : this.#withheld.slice(-1);
    this.#withheld = [];
    if (this.#isUnasked && answers.length === 0) this.#toServer.push(this.#request('CDS', { isFirst: true }));
    for (const [index, answer] of answers.entries())
      this.#toServer.push(this.#request('CDS', { ...answer, isFirst: this.#isUnasked && index === 0 }));
    this.#isUnasked = false;
  }

  #request(
    type: ShortType,
    words: {
      isFirst?: boolean;
      isSpontaneous?: boolean;
      nonce?: string;
      error?: string;
      subscribe?: readonly string[];
      unsubscribe?: readonly string[];
    } = {},
  ): XdsRequest {
    const { isFirst = false, isSpontaneous = false, error, subscribe = [], unsubscribe = [] } = words;
    const lastNonce = this.#variant === 'delta' && isSpontaneous ? '' : this.#lastNonce[type];
    const base = { typeUrl: typeOf(type), nonce: words.nonce ?? lastNonce, error };
    if (this.#variant === 'delta') {
      const known = new Map(isFirst ? this.#held[type] : []);
      return { ...base, variant: 'delta', subscribe, unsubscribe, known };
    }
    const names = type === 'EDS' ? this.#endpointNames : [];
    return { ...base, variant: 'state of the world', version: this.#lastVersion[type], names };
  }
}

/** A service is a listener, a cluster and endpoints of one name. */
function randomSpec(random: Random, round: number): Spec {
  const names = wordsOf(randomList(random, round)).map((word) => word.split('@')[0] ?? '');
  const list = (): string => names.map((name) => `${name}@${random(2) === 0 ? 0 : round}`).join(' ');
  return { CDS: list(), EDS: list(), LDS: list() };
}

function randomStep(variant: Variant, random: Random, index: number): Step {
  const dice = random(20);
  if (dice < 7) return { do: 'hear' };
  if (dice < 8) return { do: 'hear', refuse: random(2) === 0 ? 'all' : 'first' };
  if (dice < 15) return { do: 'reach' };
  if (dice < 17) return { do: 'pass', ms: random(2_000) };
  if (dice < 19) return { do: 'serve', spec: randomSpec(random, index) };
  const name = NAMES[random(NAMES.length)] ?? '';
  const rare: readonly Step[] = [
    { do: 'stall' },
    { do: 'resume' },
    { do: 'resume' },
    { do: 'die', name },
    { do: 'revive', name },
    // In the state of the world a removal can't be withheld then.
    ...(variant === 'delta' ? [{ do: 'reconnect' } as const] : []),
  ];
  return rare[random(9)] ?? { do: 'pass', ms: 1 };
}

for (const variant of ['state of the world', 'delta'] as const) {
  test(`${variant}: in any interleaving nothing is used before it is there, or taken away while it is used`, () => {
    checkRuns({
      runs: 1_000,
      steps: 120,
      scene: () => new Envoy(variant),
      step: (random, index) => randomStep(variant, random, index),
    });
  });
}
