/**
 * Streams against a model of Envoy, in thousands of random interleavings of changes, messages, refusals and time.
 *
 * A service is a listener, the cluster it uses and that cluster's endpoints, all of one name. What must hold at any
 * moment: no listener without its cluster, also not while it drains; one response in flight per type. What must hold in
 * the end: the client has what the last snapshot has, and no cluster waits for endpoints.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Variant, XdsRequest } from '../../src/xds/requests.ts';
import { ANSWER_LIMIT_MS, XdsStream } from '../../src/xds/stream.ts';
import type { Response } from '../../src/xds/subscription.ts';
import { type ShortType, snapshotOf, type Spec, typeOf } from './talk.ts';

const DRAIN_MS = 4_000;
const SERVICES = ['a', 'b', 'c', 'd'];
const TYPES: readonly ShortType[] = ['CDS', 'EDS', 'LDS'];

/** mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Held = Record<ShortType, Map<string, string>>;

/** Envoy, as far as a server can tell; and the wires in both directions, which keep their order. */
class Scene {
  now = 0;
  readonly held: Held = { CDS: new Map(), EDS: new Map(), LDS: new Map() };
  readonly #variant: Variant;
  readonly #random: (below: number) => number;
  #stream: XdsStream;
  #spec: Spec = {};
  #toClient: Response[] = [];
  #toServer: XdsRequest[] = [];
  /** Clusters that were added or changed and wait for endpoints. */
  readonly #warming = new Set<string>();
  /** CDS answers held back while a cluster is warming. */
  #withheld: Response[] = [];
  readonly #lastVersion: Record<ShortType, string> = { CDS: '', EDS: '', LDS: '' };
  readonly #lastNonce: Record<ShortType, string> = { CDS: '', EDS: '', LDS: '' };
  #endpointNames: readonly string[] = [];
  /** When the client gave up a listener. */
  readonly #unusedSince = new Map<string, number>();
  readonly #inFlight = new Map<string, { nonce: string; sentMs: number }>();
  mayRefuse = true;

  constructor(variant: Variant, random: (below: number) => number) {
    this.#variant = variant;
    this.#random = random;
    this.#stream = new XdsStream({ variant, only: undefined }, DRAIN_MS);
    this.connect();
  }

  connect(): void {
    this.#stream = new XdsStream({ variant: this.#variant, only: undefined }, DRAIN_MS);
    this.#stream.setSnapshot(snapshotOf(this.#spec));
    this.#toClient = [];
    this.#toServer = [];
    this.#withheld = [];
    this.#inFlight.clear();
    for (const type of TYPES) {
      this.#lastNonce[type] = '';
      this.#toServer.push(
        this.#request(type, { isFirst: true, subscribe: type === 'EDS' ? this.#endpointNames : [] }),
      );
    }
  }

  serve(spec: Spec): void {
    this.#spec = spec;
    this.#stream.setSnapshot(snapshotOf(spec));
    this.#listen();
  }

  pass(ms: number): void {
    this.now += ms;
    this.#listen();
  }

  /** The next message of one direction arrives; false: there is none. */
  deliverToServer(): boolean {
    const request = this.#toServer.shift();
    if (request === undefined) return false;
    const inFlight = this.#inFlight.get(request.typeUrl);
    if (inFlight?.nonce === request.nonce || request.nonce === '') this.#inFlight.delete(request.typeUrl);
    this.#stream.request(request, this.now);
    this.#listen();
    return true;
  }

  deliverToClient(): boolean {
    const response = this.#toClient.shift();
    if (response === undefined) return false;
    const type = TYPES.find((type) => typeOf(type) === response.typeUrl);
    assert.ok(type);
    this.#lastNonce[type] = response.nonce;
    if (type === 'LDS' && this.mayRefuse && this.#random(5) === 0) {
      this.#toServer.push(this.#request(type, { error: 'not this time' }));
      return true;
    }
    this.#apply(type, response);
    this.#lastVersion[type] = response.content.version;
    if (type === 'CDS') this.#withheld.push(response);
    else this.#toServer.push(this.#request(type));
    if (type === 'CDS') this.#followClusters();
    if (this.#warming.size === 0) this.#answerClusters();
    return true;
  }

  /** Everything arrives, and time goes by. */
  settle(): void {
    this.mayRefuse = false;
    for (let quiet = 0; quiet < 12; quiet += 1) {
      while (this.deliverToServer() || this.deliverToClient()) quiet = 0;
      this.pass(1_000);
    }
    assert.deepEqual([...this.#warming], [], 'clusters wait for endpoints for ever');
  }

  /** The stream's words go onto the wire. */
  #listen(): void {
    for (;;) {
      const response = this.#stream.next(this.now);
      if (response === undefined) return;
      const {
        typeUrl,
        nonce,
        content: { resources, removed },
      } = response;
      const inFlight = this.#inFlight.get(typeUrl);
      const isFree = inFlight === undefined || this.now >= inFlight.sentMs + ANSWER_LIMIT_MS;
      assert.ok(isFree, `${typeUrl} ${nonce} sent while ${inFlight?.nonce} was in flight`);
      this.#inFlight.set(typeUrl, { nonce, sentMs: this.now });
      const names = resources.map(({ name }) => name);
      if (this.#variant === 'delta') names.push(...removed);
      assert.equal(new Set(names).size, names.length, 'a name twice');
      this.#toClient.push(response);
    }
  }

  #apply(type: ShortType, { content: { resources, removed } }: Response): void {
    const held = this.held[type];
    const before = new Map(held);
    if (this.#variant === 'delta') for (const name of type === 'EDS' ? [] : removed) held.delete(name);
    else if (type !== 'EDS') held.clear();
    for (const { name, version } of resources) held.set(name, version);
    if (type === 'EDS') for (const { name } of resources) this.#warming.delete(name);
    if (type === 'CDS') {
      for (const [name, version] of held) if (before.get(name) !== version) this.#warming.add(name);
      for (const name of before.keys()) if (!held.has(name)) this.#checkRemoval(name);
    }
    if (type === 'LDS') {
      for (const name of before.keys()) if (!held.has(name)) this.#unusedSince.set(name, this.now);
      for (const name of held.keys()) this.#unusedSince.delete(name);
    }
    for (const name of this.held.LDS.keys())
      assert.ok(this.held.CDS.has(name), `listener ${name} without its cluster`);
  }

  #checkRemoval(name: string): void {
    this.#warming.delete(name);
    const since = this.#unusedSince.get(name);
    if (since !== undefined)
      assert.ok(this.now >= since + DRAIN_MS, `cluster ${name} removed before it was drained`);
  }

  /** Endpoints are wanted for exactly the clusters there are. */
  #followClusters(): void {
    const names = [...this.held.CDS.keys()];
    const before = this.#endpointNames;
    const subscribe = names.filter((name) => !before.includes(name));
    const unsubscribe = before.filter((name) => !names.includes(name));
    this.#endpointNames = names;
    for (const name of unsubscribe) this.held.EDS.delete(name);
    if (subscribe.length + unsubscribe.length === 0) return;
    // Of its own accord: no answer in delta; in the state of the world it repeats the last nonce.
    this.#toServer.push(this.#request('EDS', { subscribe, unsubscribe, isSpontaneous: true }));
  }

  #answerClusters(): void {
    const answers = this.#variant === 'delta' ? this.#withheld : this.#withheld.slice(-1);
    for (const { nonce } of answers) this.#toServer.push(this.#request('CDS', { nonce }));
    this.#withheld = [];
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
      const known = new Map(isFirst ? this.held[type] : []);
      return { ...base, variant: 'delta', subscribe, unsubscribe, known };
    }
    const names = type === 'EDS' ? this.#endpointNames : [];
    return { ...base, variant: 'state of the world', version: this.#lastVersion[type], names };
  }
}

function randomSpec(random: (below: number) => number, round: number): Spec {
  const services = SERVICES.filter(() => random(3) > 0);
  const version = (): string => `${random(2) === 0 ? 0 : round}`;
  const list = (): string => services.map((name) => `${name}@${version()}`).join(' ');
  return { CDS: list(), EDS: list(), LDS: list() };
}

function contentOf(list: string | undefined): string[] {
  return (list ?? '').split(' ').filter((word) => word !== '');
}

for (const variant of ['state of the world', 'delta'] as const) {
  test(`${variant}: in any interleaving nothing is used before it is there, or taken away while it is used`, () => {
    for (let seed = 1; seed <= 400; seed += 1) {
      const random = randomFrom(seed);
      const scene = new Scene(variant, random);
      try {
        for (let step = 1; step <= 150; step += 1) {
          const dice = random(20);
          if (dice < 8) scene.deliverToClient();
          else if (dice < 15) scene.deliverToServer();
          else if (dice < 17) scene.pass(random(2_000));
          else if (dice < 19) scene.serve(randomSpec(random, step));
          // A reconnect in the state of the world can't withhold a removal.
          else if (variant === 'delta' && random(4) === 0) scene.connect();
        }
        const last = randomSpec(random, 1_000);
        scene.serve({
          ...last,
          LDS: contentOf(last.LDS)
            .map((word) => `${word}!!`)
            .join(' '),
        });
        scene.serve({
          ...last,
          LDS: contentOf(last.LDS)
            .map((word) => `${word}0`)
            .join(' '),
        });
        scene.settle();
        const held = (type: ShortType): string[] =>
          [...scene.held[type]].map(([name, version]) => `${name}@${version}`);
        assert.deepEqual(held('CDS').sort(), contentOf(last.CDS).sort(), 'clusters');
        assert.deepEqual(held('EDS').sort(), contentOf(last.EDS).sort(), 'endpoints');
        assert.deepEqual(
          held('LDS').sort(),
          contentOf(last.LDS)
            .map((word) => `${word}0`)
            .sort(),
          'listeners',
        );
      } catch (error) {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      }
    }
  });
}
