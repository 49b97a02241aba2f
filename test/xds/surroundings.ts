/**
 * What an xDS server under test stands on: snapshots set by hand, a clock turned by hand, a log that is kept.
 */
import assert from 'node:assert/strict';

import type { ChannelCredentials } from '@grpc/grpc-js';
import { Registry } from 'prom-client';

import type { Snapshot } from '../../src/envoy/resource-set.ts';
import type { Clock } from '../../src/xds/clock.ts';
import { createXdsServer, type XdsServer, type XdsServerOptions } from '../../src/xds/server.ts';
import type { Variant } from '../../src/xds/requests.ts';
import type { Acknowledgement, SnapshotSource, XdsNode } from '../../src/xds/snapshot-source.ts';
import { TestClient, type TestStream } from './client.ts';
import { snapshotOf, type Spec, typeOf } from './talk.ts';

/** What `assertSilent` asks for must be among it. */
export const SERVED = { CDS: 'a@1!', EDS: 'a@1 probe@1', LDS: 'l@1' };
export const NODE = { node: { id: 'sidecar-1', cluster: 'apps' } };

/** A node whose answers the server cannot digest. */
export const FAULTY = 'faulty';

export class HandSource implements SnapshotSource {
  readonly nodes: XdsNode[] = [];
  #snapshot: Snapshot | undefined;
  #failure: Error | undefined;
  readonly #callbacks = new Set<() => void>();

  constructor(spec: Spec | undefined) {
    this.#snapshot = spec && snapshotOf(spec);
  }

  snapshotFor(node: XdsNode): Snapshot | undefined {
    this.nodes.push(node);
    if (this.#failure !== undefined) throw this.#failure;
    return this.#snapshot;
  }

  onChange(callback: () => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  set(spec: Spec): void {
    this.setSnapshot(snapshotOf(spec));
  }

  setSnapshot(snapshot: Snapshot): void {
    this.#failure = undefined;
    this.#snapshot = snapshot;
    for (const callback of this.#callbacks) callback();
  }

  fail(failure: Error): void {
    this.#failure = failure;
    for (const callback of this.#callbacks) callback();
  }

  get watchers(): number {
    return this.#callbacks.size;
  }
}

export class HandClock implements Clock {
  #now = 1_000;
  readonly #timers = new Map<() => void, number>();

  now(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, ms: number): () => void {
    const timer = (): void => callback();
    this.#timers.set(timer, this.#now + ms);
    return () => this.#timers.delete(timer);
  }

  pass(ms: number): void {
    this.#now += ms;
    const due = [...this.#timers].filter(([, at]) => at <= this.#now);
    for (const [timer] of due) {
      this.#timers.delete(timer);
      timer();
    }
  }

  get timers(): number {
    return this.#timers.size;
  }
}

export interface LogLine {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export interface Stage extends AsyncDisposable {
  readonly server: XdsServer;
  readonly source: HandSource;
  readonly clock: HandClock;
  readonly log: readonly LogLine[];
  readonly answers: readonly Acknowledgement[];
  readonly metrics: Registry;
  /** Without TLS unless credentials are given. */
  client(credentials?: ChannelCredentials): TestClient;
}

export async function stage(spec?: Spec, options: Partial<XdsServerOptions> = {}): Promise<Stage> {
  const source = new HandSource(spec);
  const clock = new HandClock();
  const metrics = new Registry();
  const log: LogLine[] = [];
  const answers: Acknowledgement[] = [];
  const clients: TestClient[] = [];
  const logAt = (level: string) => (fields: object, message: string) => {
    log.push({ level, fields: { ...fields }, message });
  };
  const server = await createXdsServer({
    address: { host: '127.0.0.1', port: 0 },
    source,
    clock,
    metrics,
    log: { debug: logAt('debug'), info: logAt('info'), warn: logAt('warn'), error: logAt('error') },
    onAcknowledgement: (acknowledgement) => {
      if (acknowledgement.node.id === FAULTY) throw new Error('out of order');
      answers.push(acknowledgement);
    },
    ...options,
  });
  return {
    server,
    source,
    clock,
    log,
    answers,
    metrics,
    client(credentials) {
      const client = new TestClient(server.address, credentials);
      clients.push(client);
      return client;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close();
      await server.close();
    },
  };
}

/** Waits until it is so; each look comes after a turn of the event loop. */
export async function until(isTrue: () => boolean, what: string, lastSeen: () => unknown): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!isTrue()) {
    if (performance.now() > deadline)
      throw new Error(`not so: ${what}; last seen: ${JSON.stringify(lastSeen())}`);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** Asks for endpoints that are there; what is between now and their answer would come first. */
export async function assertSilent(stream: TestStream, variant: Variant, nonce = ''): Promise<void> {
  const names =
    variant === 'delta'
      ? { resource_names_subscribe: ['probe'] }
      : { resource_names: ['probe'], response_nonce: nonce };
  stream.send('EDS', { ...NODE, ...names });
  const message = await stream.next();
  assert.equal(message.typeUrl, typeOf('EDS'), 'a response came before the one to the probe');
}

/** A resource as a response of that variant holds it. */
export function held(variant: Variant, name: string, bytes: string): string {
  return variant === 'delta' ? `${name}=${bytes}` : bytes;
}
