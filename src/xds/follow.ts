/**
 * Follows what a control plane serves: one aggregated stream after the other, for as long as it takes. What came stays in
 * force while there is no stream; the next one begins with what is known, so that only the difference is sent.
 *
 *   clusters ──> endpoints of those that wait for them ──> listeners        (at the start, as Envoy does)
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { NodeDescription } from '../envoy/node.ts';
import { CLUSTER_TYPE, ENDPOINTS_TYPE, LISTENER_TYPE, TYPE_URLS, type TypeUrl } from '../envoy/resource.ts';
import { Backoff } from '../sources/backoff.ts';
import { readCertificates, type CertificateFiles } from '../tls/certificate-files.ts';
import { ClientSubscription, type Held } from './client-subscription.ts';
import { isUnimplemented, XdsClient } from './client.ts';
import { formatAddress, type HostAndPort } from './listen-address.ts';
import type { Received, ReceivedResource } from './received.ts';
import type { Variant } from './requests.ts';

/** What becomes of the resources. */
export interface Receiver {
  /** Returns what is refused and why, by name; all else is in force by then. */
  apply(
    typeUrl: TypeUrl,
    changed: readonly ReceivedResource[],
    removed: readonly string[],
  ): Promise<ReadonlyMap<string, string>>;
  /** Of the clusters that have their endpoints in resources of their own. */
  endpointsNames(): ReadonlySet<string>;
  missingEndpoints(): readonly string[];
}

export interface FollowOptions {
  readonly address: HostAndPort;
  /** Read again for each connection; undefined: in the clear. */
  readonly tls: CertificateFiles | undefined;
  readonly node: NodeDescription;
  readonly receiver: Receiver;
  readonly log: { info(message: string): void; warn(message: string): void };
}

export interface Follower {
  /** There is a stream, and the control plane has not refused it. */
  readonly isConnected: boolean;
  /** Responses in which something was refused, since the start. */
  readonly refused: number;
  /** Why there is no plan yet; undefined from the first listeners on. */
  waitingFor(): string | undefined;
  close(): Promise<void>;
}

const CONNECT_LIMIT_MS = 10_000;
/** Who has nothing new to say is silent: a stream that is not refused for so long is one. */
const ACCEPTED_AFTER_MS = 1_000;
/** After that the listeners are asked for although endpoints are missing, as Envoy does. */
const ENDPOINTS_LIMIT_MS = 15_000;

/** Fails with one line where the certificates can't be read now; all else is tried again and again. */
export async function followXds(options: FollowOptions): Promise<Follower> {
  if (options.tls !== undefined) await readCertificates(options.tls);
  const following = new Following(options);
  following.start();
  return following;
}

/** A fault of ours, which the same response brings about again. */
class NotTaken extends Error {}

class Following implements Follower {
  readonly #options: FollowOptions;
  readonly #held = new Map<TypeUrl, { version: string; versions: Map<string, string> }>(
    TYPE_URLS.map((typeUrl) => [typeUrl, { version: '', versions: new Map() }]),
  );
  readonly #backoff = new Backoff();
  readonly #faultBackoff = new Backoff();
  readonly #stopped = new AbortController();
  #variant: Variant = 'delta';
  #hasClusters = false;
  #hasListeners = false;
  #client: XdsClient | undefined;
  #subscriptions = new Map<TypeUrl, ClientSubscription>();
  #running: Promise<void> = Promise.resolve();
  /** Why there is no stream, as it was said last; undefined: it was said that there is one. */
  #said: string | undefined = '';
  isConnected = false;
  refused = 0;

  constructor(options: FollowOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  waitingFor(): string | undefined {
    if (this.#hasListeners) return undefined;
    const address = formatAddress(this.#options.address);
    if (this.isConnected) return `the control plane at ${address} has sent no listeners yet`;
    if (this.#said === undefined || this.#said === '')
      return `the control plane at ${address} has not answered yet`;
    return `no control plane (${this.#said})`;
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    this.#client?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      let why = 'the control plane ended the stream';
      let isOtherVariantDue = false;
      let isOurFault = false;
      try {
        await this.#session();
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
        isOtherVariantDue = isUnimplemented(error);
        isOurFault = error instanceof NotTaken;
      }
      const wasConnected = this.isConnected;
      this.isConnected = false;
      if (signal.aborted) return;
      if (isOtherVariantDue && this.#variant === 'delta') {
        this.#speakWorld();
        continue;
      }
      if (isOtherVariantDue) this.#variant = 'delta';
      // Connections end now and then, for their age or a renewed certificate: it counts whether there is another.
      if (isOurFault) this.#options.log.warn(why);
      else if (!wasConnected) this.#say(why);
      // Of its own: each stream that is accepted resets the other one.
      const backoff = isOurFault ? this.#faultBackoff : this.#backoff;
      if (!isOurFault) this.#faultBackoff.reset();
      await sleep(backoff.next(), undefined, { signal }).catch(() => {});
    }
  }

  #speakWorld(): void {
    this.#variant = 'state of the world';
    // A version of the one says nothing in the other.
    for (const held of this.#held.values()) held.version = '';
    this.#options.log.info(
      'the control plane does not speak delta xDS; it is asked for the state of the world',
    );
  }

  /** One stream, to its end. */
  async #session(): Promise<void> {
    const { address, tls: files, node } = this.#options;
    const tls = files && (await readCertificates(files));
    if (this.#stopped.signal.aborted) return;
    const timers: NodeJS.Timeout[] = [];
    const client = new XdsClient({
      address,
      tls,
      variant: this.#variant,
      node,
      connectLimitMs: CONNECT_LIMIT_MS,
      onConnected: () => timers.push(setTimeout(() => this.#accepted(), ACCEPTED_AFTER_MS)),
    });
    this.#client = client;
    this.#subscriptions = new Map();
    try {
      this.#subscribe(CLUSTER_TYPE, []);
      this.#goOn();
      let isWaiting = false;
      for await (const response of client.responses()) {
        this.#accepted();
        await this.#take(response).catch((error: unknown) => {
          throw new NotTaken(`what the control plane sent could not be carried out: ${String(error)}`);
        });
        if (this.#subscriptions.has(LISTENER_TYPE) || isWaiting) continue;
        isWaiting = true;
        timers.push(setTimeout(() => this.#subscribe(LISTENER_TYPE, []), ENDPOINTS_LIMIT_MS));
      }
    } finally {
      for (const timer of timers) clearTimeout(timer);
      client.close();
    }
  }

  async #take(response: Received): Promise<void> {
    const subscription = [...this.#subscriptions.values()].find(
      ({ typeUrl }) => typeUrl === response.typeUrl,
    );
    if (subscription === undefined) return;
    const { typeUrl } = subscription;
    const removed = this.#removed(typeUrl, response);
    const problems = await this.#options.receiver.apply(typeUrl, response.resources, removed);
    this.#remember(typeUrl, response, removed, problems);
    if (typeUrl === CLUSTER_TYPE) this.#hasClusters = true;
    if (typeUrl === LISTENER_TYPE) this.#hasListeners = true;
    // Envoy's form: what is refused is found by the names at the beginning of lines.
    const refusal =
      problems.size === 0 ? undefined : Array.from(problems, ([name, why]) => `${name}: ${why}`).join('\n');
    if (refusal !== undefined) {
      this.refused += 1;
      this.#options.log.warn(`refused, and left as it was: ${refusal}`);
    }
    this.#client?.send(subscription.answer(response, refusal));
    this.#goOn();
  }

  /** Clusters and listeners that a full set lacks are gone; endpoints go with their clusters. */
  #removed(typeUrl: TypeUrl, { resources, removed }: Received): readonly string[] {
    if (this.#variant === 'delta' || typeUrl === ENDPOINTS_TYPE) return removed;
    const present = new Set(resources.map(({ name }) => name));
    return [...(this.#held.get(typeUrl)?.versions.keys() ?? [])].filter((name) => !present.has(name));
  }

  #remember(
    typeUrl: TypeUrl,
    response: Received,
    removed: readonly string[],
    problems: ReadonlyMap<string, string>,
  ): void {
    const held = this.#held.get(typeUrl);
    if (held === undefined) return;
    if (problems.size === 0) held.version = response.version;
    for (const name of removed) held.versions.delete(name);
    for (const { name, version } of response.resources) {
      if (problems.has(name)) continue;
      held.versions.set(name, version ?? '');
    }
  }

  /** Asks for what can be asked for now. */
  #goOn(): void {
    if (!this.#hasClusters) return;
    const { receiver } = this.#options;
    const names = receiver.endpointsNames();
    const endpoints = this.#subscriptions.get(ENDPOINTS_TYPE);
    const versions = this.#held.get(ENDPOINTS_TYPE)?.versions;
    for (const name of versions?.keys() ?? []) if (!names.has(name)) versions?.delete(name);
    if (endpoints === undefined) {
      if (names.size > 0) this.#subscribe(ENDPOINTS_TYPE, names);
    } else {
      const request = endpoints.want(names);
      if (request !== undefined) this.#client?.send(request);
    }
    if (receiver.missingEndpoints().length === 0) this.#subscribe(LISTENER_TYPE, []);
  }

  /** Once a stream. */
  #subscribe(typeUrl: TypeUrl, names: Iterable<string>): void {
    if (this.#subscriptions.has(typeUrl)) return;
    const subscription = new ClientSubscription(typeUrl, this.#variant);
    this.#subscriptions.set(typeUrl, subscription);
    this.#client?.send(subscription.start(names, this.#heldOf(typeUrl)));
  }

  /** Versions by name are known from delta streams only. */
  #heldOf(typeUrl: TypeUrl): Held {
    const { version = '', versions = new Map<string, string>() } = this.#held.get(typeUrl) ?? {};
    return { version, versions };
  }

  #accepted(): void {
    this.#backoff.reset();
    if (this.isConnected) return;
    this.isConnected = true;
    if (this.#said === undefined) return;
    this.#said = undefined;
    this.#options.log.info(`follows the control plane at ${formatAddress(this.#options.address)}`);
  }

  /** Each reason once, as long as nothing else comes between. */
  #say(why: string): void {
    if (why === this.#said) return;
    this.#said = why;
    const meanwhile = this.#hasListeners ? 'what it said last stays in force' : 'nothing is served yet';
    this.#options.log.warn(`no control plane, and ${meanwhile} (${why})`);
  }
}
