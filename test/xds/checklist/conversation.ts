/**
 * A client of a real server on a real connection, for the points of the checklist: the same words on an aggregated stream
 * and on streams of one type each, in both variants.
 *
 * Every message that is heard is held to what goes for all of them: the type that was asked for, a version, a nonce of its
 * own, no name twice.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Variant } from '../../../src/xds/requests.ts';
import type { Message, TestClient, TestStream } from '../client.ts';
import { NODE, stage, type Stage } from '../surroundings.ts';
import { type ShortType, type Spec, typeOf, type Words } from '../talk.ts';

export type Transport = 'ADS' | 'per type';

/** What is heard: `a@1 b@2`, removals as `-c`; where the variants differ, one for each. */
export type Heard = string | { readonly delta: string; readonly world: string };

export interface Point {
  readonly variants?: readonly Variant[];
  readonly transports?: readonly Transport[];
  /** undefined: nothing is served at first. */
  readonly spec?: Spec | undefined;
}

export const SPEC: Spec = { CDS: 'a@1 b@1', EDS: 'a@1 b@1', LDS: 'l@1 m@1' };

const VARIANTS: readonly Variant[] = ['state of the world', 'delta'];
const TRANSPORTS: readonly Transport[] = ['ADS', 'per type'];

/** How many have been sent to each server. */
const requests = new WeakMap<Stage, number>();

/** A test for each way to talk. */
export function point(
  name: string,
  options: Point,
  body: (conversation: Conversation, here: Stage) => Promise<void>,
): void {
  for (const variant of options.variants ?? VARIANTS) {
    for (const transport of options.transports ?? TRANSPORTS) {
      test(`${name} (${variant}, ${transport})`, async () => {
        const spec = 'spec' in options ? options.spec : SPEC;
        await using here = await stage(spec && withProbe(spec));
        await body(new Conversation(here, variant, transport), here);
      });
    }
  }
}

/** The endpoints that `silent` asks for. */
function withProbe(spec: Spec): Spec {
  return { ...spec, EDS: `${spec.EDS ?? ''} probe@1` };
}

export class Conversation {
  readonly variant: Variant;
  readonly transport: Transport;
  readonly #here: Stage;
  readonly #client: TestClient;
  readonly #streams = new Map<string, TestStream>();
  readonly #last = new Map<ShortType, Message>();
  readonly #names = new Map<ShortType, readonly string[]>();
  readonly #nonces = new Map<string, Set<string>>();

  constructor(here: Stage, variant: Variant, transport: Transport) {
    this.variant = variant;
    this.transport = transport;
    this.#here = here;
    this.#client = here.client();
  }

  /** The same client as another stream of the same node. */
  another(): Conversation {
    return new Conversation(this.#here, this.variant, this.transport);
  }

  stream(type: ShortType): TestStream {
    const only = this.transport === 'ADS' ? undefined : type;
    let stream = this.#streams.get(only ?? '');
    if (stream === undefined) {
      stream = this.#client.stream(this.variant, only);
      this.#streams.set(only ?? '', stream);
    }
    return stream;
  }

  /** Changes what is served, once the server has taken all that was said before. */
  async serve(spec: Spec): Promise<void> {
    await this.taken();
    this.#here.source.set(withProbe(spec));
  }

  /** The server has taken all requests of this test so far. */
  async taken(): Promise<void> {
    const metric = this.#here.metrics.getSingleMetric('redpilot_xds_requests_total');
    const seen = async (): Promise<number> =>
      (await metric?.get())?.values.reduce((sum, { value }) => sum + value, 0) ?? 0;
    const deadline = performance.now() + 30_000;
    while ((await seen()) < (requests.get(this.#here) ?? 0)) {
      assert.ok(
        performance.now() < deadline,
        `only ${await seen()} of ${requests.get(this.#here)} requests taken`,
      );
      await nextTurn();
    }
  }

  ask(type: ShortType, words: Words & { readonly node?: object } = {}): void {
    const names = words.names ?? this.#names.get(type) ?? [];
    this.#names.set(type, names);
    const error = words.error === undefined ? {} : { error_detail: { code: 13, message: words.error } };
    requests.set(this.#here, (requests.get(this.#here) ?? 0) + 1);
    this.stream(type).send(type, {
      node: words.node ?? NODE.node,
      response_nonce: words.nonce ?? '',
      ...error,
      ...(this.variant === 'delta'
        ? {
            resource_names_subscribe: words.subscribe ?? [],
            resource_names_unsubscribe: words.unsubscribe ?? [],
            initial_resource_versions: words.known ?? {},
          }
        : { version_info: words.version ?? '', resource_names: names }),
    });
  }

  /** Subscribes to exactly these, in the words of the variant. */
  names(type: ShortType, names: readonly string[], words: Words = {}): void {
    const before = this.#names.get(type) ?? [];
    this.ask(type, {
      nonce: this.#last.get(type)?.nonce ?? '',
      version: this.#last.get(type)?.version ?? '',
      names,
      subscribe: names.filter((name) => !before.includes(name)),
      unsubscribe: before.filter((name) => !names.includes(name)),
      ...words,
    });
  }

  async hears(type: ShortType, heard: Heard): Promise<Message> {
    const message = await this.stream(type).next();
    assert.equal(message.typeUrl, typeOf(type), `expected ${type} ${JSON.stringify(heard)}`);
    const words = message.resources.map((resource) => resource.slice(resource.lastIndexOf(' ') + 1));
    const said = [...words, ...message.removed.map((name) => `-${name}`)];
    const expected = typeof heard === 'string' ? heard : this.variant === 'delta' ? heard.delta : heard.world;
    assert.equal(said.join(' '), expected, type);
    this.#check(type, message, said);
    this.#last.set(type, message);
    return message;
  }

  ack(type: ShortType, words: Words = {}): void {
    const { nonce, version } = this.last(type);
    this.ask(type, { nonce, version, ...words });
  }

  nack(type: ShortType, message: string, words: Words = {}): void {
    this.ask(type, { nonce: this.last(type).nonce, error: message, ...words });
  }

  /** Asks for everything of that type, hears it, acknowledges it. */
  async begin(type: ShortType, heard: Heard, words: Words = {}): Promise<void> {
    this.ask(type, words);
    await this.hears(type, heard);
    this.ack(type);
  }

  last(type: ShortType): Message {
    const message = this.#last.get(type);
    assert.ok(message, `no ${type} so far`);
    return message;
  }

  /**
   * A request is answered and nothing precedes its answer: endpoints on an aggregated stream, else names of its type. It
   * is the last word on that stream in the state of the world, since it changes what is subscribed.
   */
  async silent(type: ShortType): Promise<void> {
    const probed = this.transport === 'ADS' ? 'EDS' : type;
    const name = `probe-${this.#nonces.get(probed)?.size ?? 0}`;
    if (this.variant === 'delta') {
      this.ask(probed, { subscribe: [name] });
      await this.hears(probed, `-${name}`);
      this.ack(probed);
    } else if (probed === 'EDS') {
      this.names('EDS', [...(this.#names.get('EDS') ?? []), 'probe']);
      await this.hears('EDS', 'probe@1');
    } else {
      this.names(probed, [name]);
      await this.hears(probed, '');
    }
    assert.equal(this.stream(type).waiting, 0);
  }

  #check(type: ShortType, { nonce, version, removed, resources }: Message, said: readonly string[]): void {
    assert.notEqual(version, '');
    const nonces = this.#nonces.get(type) ?? new Set();
    this.#nonces.set(type, nonces);
    assert.ok(nonces.size === 0 || !nonces.has(nonce), `nonce ${nonce} again`);
    nonces.add(nonce);
    const names = said.map((word) => word.replace(/^-/, '').replace(/@.*/, ''));
    assert.equal(new Set(names).size, names.length, 'a name twice');
    if (this.variant !== 'delta') assert.deepEqual(removed, []);
    else assert.ok(resources.every((resource) => resource.includes('=')));
  }
}
