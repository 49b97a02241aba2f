/**
 * One stream of one client: carries bytes between the transport and the pure stream.
 *
 * Knows of the transport only what `Transport` says. A client that does not read costs one mark: nothing is written, and
 * nothing computed, until the transport can take more; then it gets the newest state.
 */
import type { Snapshot } from '../envoy/resource.ts';
import type { Clock } from './clock.ts';
import { decodeRequest } from './decoding.ts';
import { type RequestOutcome, typeWord, type XdsMetrics } from './metrics.ts';
import { drainMsOf } from './node.ts';
import { blamedNames } from './rejection.ts';
import type { StreamKind, Variant, XdsRequest } from './requests.ts';
import type { Acknowledgement, SnapshotSource, XdsNode } from './snapshot-source.ts';
import { XdsStream } from './stream.ts';
import type { Answer, SubscriptionState } from './subscription.ts';
import { encodeResponse } from './wire.ts';

/** What of pino is used. */
export interface XdsLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface Transport {
  /** False: no more until `writable` is called. */
  write(bytes: Buffer): boolean;
  /** Ends the stream because of something the client did. */
  refuse(problem: string): void;
  /** Ends the stream because the server goes. */
  leave(): void;
  /** Ends the stream because of a fault of the server. */
  fail(): void;
}

export interface Surroundings {
  readonly source: SnapshotSource;
  readonly log: XdsLog;
  readonly clock: Clock;
  readonly metrics: XdsMetrics | undefined;
  readonly onAcknowledgement: ((acknowledgement: Acknowledgement) => void) | undefined;
}

/** One type on one stream of one node. */
export interface StreamState extends SubscriptionState {
  readonly node: string;
  readonly variant: Variant;
}

interface Client {
  readonly node: XdsNode;
  readonly stream: XdsStream;
}

/** A log line names no more resources than this. */
const MOST_NAMES = 20;

export class LiveStream {
  readonly #kind: StreamKind;
  readonly #transport: Transport;
  readonly #around: Surroundings;
  /** undefined until the first request says who it is. */
  #client: Client | undefined;
  #isOver = false;
  #canWrite = true;
  #callOffTimer: () => void = () => {};

  constructor(kind: StreamKind, transport: Transport, around: Surroundings) {
    this.#kind = kind;
    this.#transport = transport;
    this.#around = around;
    around.metrics?.streamOpened();
  }

  receive(bytes: Uint8Array): void {
    if (!this.#isOver) this.#guard(() => this.#receive(bytes));
  }

  /** The transport can take more again. */
  writable(): void {
    this.#canWrite = true;
    this.#guard(() => this.#flush());
  }

  /** Sends what has changed. */
  push(): void {
    this.#guard(() => {
      if (this.#client !== undefined) this.#updateSnapshot(this.#client);
      this.#flush();
    });
  }

  /** The stream has ended, from whichever side; frees everything. May be called more than once. */
  over(why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#callOffTimer();
    this.#around.metrics?.streamClosed();
    if (this.#client === undefined) return;
    this.#around.log.info({ node: this.#client.node.id, why }, 'node disconnected');
    this.#client = undefined;
  }

  leave(): void {
    this.over('the server is closing');
    this.#transport.leave();
  }

  states(): readonly StreamState[] {
    if (this.#client === undefined) return [];
    const { node, stream } = this.#client;
    return stream.states().map((state) => ({
      node: node.id,
      variant: this.#kind.variant,
      ...state,
    }));
  }

  #receive(bytes: Uint8Array): void {
    const { metrics, log } = this.#around;
    const decoded = decodeRequest(this.#kind, bytes);
    if (decoded.kind === 'malformed') {
      this.#refuse(decoded.problem);
      return;
    }
    // Only the first request says who it is; what later ones say of it is not looked at.
    const client = this.#client ?? (decoded.node && this.#connect(decoded.node));
    if (client === undefined) {
      this.#refuse('the first request of the stream has no node.id');
      return;
    }
    if (decoded.kind === 'unknown type') {
      metrics?.request(undefined, 'unknown type');
      log.debug({ node: client.node.id, typeUrl: decoded.typeUrl }, 'asked for a type that is not served');
      return;
    }
    this.#take(client, decoded.request);
    this.#flush();
  }

  /** A fault of ours ends this stream, not the others: the node connects again and starts anew. */
  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#around.log.error({ node: this.#client?.node.id, err: error }, 'stream failed');
      this.over('failed');
      this.#transport.fail();
    }
  }

  #connect(node: XdsNode): Client {
    const { id, cluster, version } = node;
    this.#around.log.info({ node: id, cluster, version, variant: this.#kind.variant }, 'node connected');
    const client = { node, stream: new XdsStream(this.#kind, drainMsOf(node)) };
    this.#client = client;
    this.#updateSnapshot(client);
    return client;
  }

  #refuse(problem: string): void {
    this.#around.metrics?.request(undefined, 'malformed');
    this.#around.log.warn({ node: this.#client?.node.id, problem }, 'request refused');
    this.over('refused');
    this.#transport.refuse(problem);
  }

  #take({ node, stream }: Client, request: XdsRequest): void {
    const { metrics, onAcknowledgement } = this.#around;
    const { typeUrl } = request;
    const answer = stream.request(request, this.#around.clock.now());
    const outcome: RequestOutcome = answer === undefined ? 'subscribed' : answer.outcome;
    metrics?.request(typeUrl, outcome);
    if (answer === undefined) return;
    if (answer.outcome === 'rejected') this.#warn(node, request, answer);
    onAcknowledgement?.({
      node,
      typeUrl,
      outcome: answer.outcome,
      resources: answer.content.resources.map(({ name, version }) => ({ name, version })),
      message: answer.message,
    });
  }

  #warn(node: XdsNode, { typeUrl }: XdsRequest, { content, message }: Answer): void {
    const names = blamedNames(
      message,
      content.resources.map(({ name }) => name),
    ).slice(0, MOST_NAMES);
    this.#around.log.warn(
      { node: node.id, type: typeWord(typeUrl), names, message },
      'node refused resources',
    );
  }

  #updateSnapshot({ node, stream }: Client): void {
    let snapshot: Snapshot | undefined;
    try {
      snapshot = this.#around.source.snapshotFor(node);
    } catch (error) {
      // The other nodes must not suffer from it; this one keeps what it has.
      this.#around.log.error({ node: node.id, err: error }, 'no snapshot could be made');
    }
    if (snapshot !== undefined) stream.setSnapshot(snapshot);
  }

  #flush(): void {
    const stream = this.#client?.stream;
    if (stream === undefined) return;
    const { clock, metrics } = this.#around;
    const nowMs = clock.now();
    while (this.#canWrite) {
      const response = stream.next(nowMs);
      if (response === undefined) break;
      metrics?.response(response.typeUrl);
      this.#canWrite = this.#transport.write(encodeResponse(this.#kind.variant, response));
    }
    this.#callOffTimer();
    const wakeAt = this.#canWrite ? stream.wakeAt(nowMs) : undefined;
    if (wakeAt !== undefined) {
      this.#callOffTimer = clock.setTimeout(() => this.#guard(() => this.#flush()), wakeAt - nowMs);
    }
  }
}
