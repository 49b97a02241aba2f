/**
 * A conversation with one stream, without a network and with a clock turned by hand. What the stream says is read as
 * lines: `CDS a@1 b@2 -c` is a response with clusters a (version 1) and b (version 2) that removes c; `a@1!` has the
 * form for a client that starts.
 */
import assert from 'node:assert/strict';

import {
  CLUSTER_TYPE,
  ENDPOINTS_TYPE,
  LISTENER_TYPE,
  type Resource,
  type TypeUrl,
} from '../../src/envoy/resource.ts';
import { ResourceSet, type Snapshot } from '../../src/envoy/resource-set.ts';
import type { Variant } from '../../src/xds/requests.ts';
import { XdsStream } from '../../src/xds/stream.ts';
import type { Answer, Response } from '../../src/xds/subscription.ts';

export type ShortType = 'CDS' | 'EDS' | 'LDS';

const TYPES: Readonly<Record<ShortType, TypeUrl>> = {
  CDS: CLUSTER_TYPE,
  EDS: ENDPOINTS_TYPE,
  LDS: LISTENER_TYPE,
};

const SHORT_TYPES: readonly ShortType[] = ['CDS', 'EDS', 'LDS'];

const shortTypes = new Map(Object.entries(TYPES).map(([short, type]) => [type, short]));

export function typeOf(short: ShortType): TypeUrl {
  return TYPES[short];
}

/** `{ CDS: 'a@1 b@2', LDS: 'l@1' }`; `a@1!` also has a form for starting clients. */
export type Spec = Readonly<Partial<Record<ShortType, string>>>;

export function snapshotOf(spec: Spec): Snapshot {
  return new Map(SHORT_TYPES.map((type) => [typeOf(type), resourcesOf(type, spec[type] ?? '')]));
}

function resourcesOf(type: ShortType, list: string): ResourceSet {
  const resources = list
    .split(' ')
    .filter((word) => word !== '')
    .map((word): Resource => {
      const [name = '', version = ''] = word.replace('!', '').split('@');
      const bytes = Buffer.from(`${type} ${name}@${version}`);
      const initial = word.endsWith('!') ? { initialBytes: Buffer.from(`${type} ${name}@${version}!`) } : {};
      return { typeUrl: typeOf(type), name, version, bytes, ...initial };
    });
  return ResourceSet.of(resources);
}

export interface Words {
  /** State of the world: all names. */
  readonly names?: readonly string[];
  readonly version?: string;
  /** Delta. */
  readonly subscribe?: readonly string[];
  readonly unsubscribe?: readonly string[];
  readonly known?: Readonly<Record<string, string>>;
  readonly nonce?: string;
  readonly error?: string;
}

export class Talk {
  readonly stream: XdsStream;
  readonly responses: Response[] = [];
  now = 0;
  readonly #variant: Variant;
  #answer: Answer | undefined;
  readonly #names = new Map<ShortType, readonly string[]>();

  constructor(
    variant: Variant,
    {
      drainMs = 10_000,
      snapshot,
      mustAsk = true,
    }: { drainMs?: number; snapshot?: Spec; mustAsk?: boolean } = {},
  ) {
    this.#variant = variant;
    this.stream = new XdsStream({ variant, only: undefined }, drainMs, { mustAsk });
    if (snapshot !== undefined) this.stream.setSnapshot(snapshotOf(snapshot));
  }

  /** Sends a request; returns what is said thereupon. */
  ask(type: ShortType, words: Words = {}): readonly string[] {
    const names = words.names ?? this.#names.get(type) ?? [];
    this.#names.set(type, names);
    const base = { typeUrl: typeOf(type), nonce: words.nonce ?? '', error: words.error };
    this.#answer = this.stream.request(
      this.#variant === 'delta'
        ? {
            ...base,
            variant: 'delta',
            subscribe: words.subscribe ?? [],
            unsubscribe: words.unsubscribe ?? [],
            known: new Map(Object.entries(words.known ?? {})),
          }
        : { ...base, variant: 'state of the world', version: words.version ?? '', names },
      this.now,
    );
    return this.said();
  }

  /** What the stream made of the last request. */
  answer(): Answer | undefined {
    return this.#answer;
  }

  ack(type: ShortType, words: Words = {}): readonly string[] {
    return this.ask(type, {
      nonce: this.last(type).nonce,
      version: this.last(type).content.version,
      ...words,
    });
  }

  nack(type: ShortType, error: string, words: Words = {}): readonly string[] {
    return this.ask(type, { nonce: this.last(type).nonce, error, ...words });
  }

  /** Acknowledges everything that is said, until silence. */
  settle(lines: readonly string[]): readonly string[] {
    const all: string[] = [];
    for (let queue = [...lines]; queue.length > 0;) {
      const line = queue.shift() ?? '';
      all.push(line);
      const type = SHORT_TYPES.find((type) => line.startsWith(type));
      assert.ok(type, line);
      queue.push(...this.ack(type));
    }
    return all;
  }

  serve(spec: Spec): readonly string[] {
    this.stream.setSnapshot(snapshotOf(spec));
    return this.said();
  }

  pass(ms: number): readonly string[] {
    this.now += ms;
    return this.said();
  }

  last(type: ShortType): Response {
    const response = this.responses.findLast(({ typeUrl }) => typeUrl === typeOf(type));
    assert.ok(response, `no ${type} response so far`);
    return response;
  }

  rejection(type: ShortType): string | undefined {
    return this.stream.states().find(({ typeUrl }) => typeUrl === typeOf(type))?.rejection;
  }

  said(): readonly string[] {
    const lines: string[] = [];
    for (;;) {
      const response = this.stream.next(this.now);
      if (response === undefined) break;
      this.#check(response);
      this.responses.push(response);
      lines.push(this.#line(response));
    }
    const wakeAt = this.stream.wakeAt(this.now);
    assert.ok(
      wakeAt === undefined || wakeAt > this.now,
      `wakes at ${wakeAt}, which is not after ${this.now}`,
    );
    return lines;
  }

  /** What holds for every response, whatever the case. */
  #check({ nonce, content: { resources, removed } }: Response): void {
    assert.ok(!this.responses.some((earlier) => earlier.nonce === nonce), `nonce ${nonce} used twice`);
    const names = [...resources.map(({ name }) => name), ...removed];
    if (this.#variant === 'delta')
      assert.equal(new Set(names).size, names.length, `a name twice in ${names.join()}`);
  }

  #line({ typeUrl, content: { resources, removed }, initialForm }: Response): string {
    const words = resources.map(
      (resource) => `${resource.name}@${resource.version}${initialForm.has(resource) ? '!' : ''}`,
    );
    const gone = this.#variant === 'delta' ? removed.map((name) => `-${name}`) : [];
    return [shortTypes.get(typeUrl), ...words, ...gone].join(' ');
  }
}
