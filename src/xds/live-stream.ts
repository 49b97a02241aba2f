/**
 * One stream of one client: carries bytes between the transport and the pure stream.
 *
 * Knows of the transport only what `Transport` says. A client that does not read costs one mark: nothing is written, and
 * nothing computed, until the transport can take more; then it gets the newest state.
 */
import { FIRST_THAT_BEARS_CHANGED_CLUSTERS, isOlder } from '../envoy/envoy-version.ts';
import { NAMESPACE } from '../envoy/node-view.ts';
import type { Snapshot } from '../envoy/resource-set.ts';
import type { Found } from '../tls/identity.ts';
import { admit } from './admission.ts';
import { ChangeLatency } from './change-latency.ts';
import type { Clock } from './clock.ts';
import { decodeRequest } from './decoding.ts';
import type { FrameWriter } from './frames.ts';
import { type Limits, RequestAllowance, tooManyNames } from './limits.ts';
import { type RequestOutcome, typeWord, type XdsMetrics } from './metrics.ts';
import { drainMsOf } from './node.ts';
import type { Refusal } from './refusal.ts';
import { blamedNames } from './rejection.ts';
import type { StreamKind, Variant, XdsRequest } from './requests.ts';
import type { Share, Shares } from './shares.ts';
import type { Acknowledgement, NodeStream, SnapshotSource, XdsNode } from './snapshot-source.ts';
import { XdsStream } from './stream.ts';
import type { Answer, Response, SubscriptionState } from './subscription.ts';
import { encodeResponse } from './wire.ts';

/** What of pino is used. */
export interface XdsLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface Transport extends FrameWriter {
  /** Ends the stream because of something the client did. */
  refuse(refusal: Refusal): void;
  /** Ends the stream because the server or the connection goes. */
  leave(why: string): void;
  /** Ends the stream because of a fault of the server. */
  fail(): void;
}

/** Who opened the stream, as its connection knows it. */
export interface Caller {
  readonly peer: string;
  /** What the certificate says; undefined without TLS. */
  readonly identity: Found | undefined;
}

export interface Surroundings {
  readonly source: SnapshotSource;
  readonly log: XdsLog;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly shares: Shares;
  readonly metrics: XdsMetrics | undefined;
  readonly onAcknowledgement: ((acknowledgement: Acknowledgement) => void) | undefined;
  /** A node came, went, asked or answered. */
  readonly onNode: (() => void) | undefined;
}

/** One type on one stream of one node. */
export interface StreamState extends SubscriptionState {
  readonly node: string;
  readonly variant: Variant;
  readonly peer: string;
  readonly namespace: string | undefined;
  /** Of the node's Envoy. */
  readonly version: string | undefined;
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
  readonly #caller: Caller;
  readonly #allowance: RequestAllowance;
  /** Of the namespace that the certificate says. */
  readonly #share: Share | undefined;
  readonly #latency = new ChangeLatency();
  /** undefined until the first request says who it is. */
  #client: Client | undefined;
  #isOver = false;
  #canWrite = true;
  /** When the timer that is set goes off. */
  #timerMs: number | undefined;
  #callOffTimer: () => void = () => {};

  constructor(kind: StreamKind, transport: Transport, around: Surroundings, caller: Caller) {
    this.#kind = kind;
    this.#transport = transport;
    this.#around = around;
    this.#caller = caller;
    const { limits, clock } = around;
    const { requestBurst: burst, requestsPerSecond: perSecond } = limits;
    this.#allowance = new RequestAllowance({ burst, perSecond }, clock.now());
    this.#share = around.shares.open(caller.identity, clock.now());
    around.metrics?.streamOpened();
    transport.onDrain(() => {
      this.#canWrite = true;
      this.#guard(() => this.#flush());
    });
  }

  receive(bytes: Uint8Array): void {
    if (!this.#isOver) this.#guard(() => this.#receive(bytes));
  }

  /** Sends what has changed at that time. */
  push(changedMs: number): void {
    this.#guard(() => {
      if (this.#client !== undefined && this.#updateSnapshot(this.#client)) this.#latency.changed(changedMs);
      this.#flush();
    });
  }

  /** The stream has ended, from whichever side; frees everything. May be called more than once. */
  over(why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#callOffTimer();
    if (this.#share !== undefined) this.#share.streams -= 1;
    this.#around.metrics?.streamClosed();
    if (this.#client === undefined) return;
    this.#around.log.info({ node: this.#client.node.id, why }, 'node disconnected');
    this.#client = undefined;
    this.#around.onNode?.();
  }

  /** Ends the stream of a client that is wanted back at once. */
  sendAway(why: string): void {
    this.#guard(() => {
      const response = this.#canWrite ? this.#client?.stream.farewell() : undefined;
      if (response !== undefined) this.#write(response);
      this.leave(why);
    });
  }

  leave(why: string): void {
    this.over(why);
    this.#transport.leave(why);
  }

  /** Ends the stream because of what the client did, and says so in the log. */
  refuse({ kind, problem }: Refusal, node = this.#client?.node.id): void {
    this.#around.metrics?.request(undefined, kind);
    this.#around.log.warn({ node, peer: this.#caller.peer, problem }, 'request refused');
    this.over('refused');
    this.#transport.refuse({ kind, problem });
  }

  /** More streams of its namespace than there may be; undefined: not so. */
  get excess(): string | undefined {
    const { namespaceStreams } = this.#around.limits;
    if (this.#share === undefined || this.#share.streams <= namespaceStreams) return undefined;
    return `there are ${namespaceStreams} streams of the namespace ${this.#share.namespace} already`;
  }

  /** undefined until it has said who it is. */
  client(): NodeStream | undefined {
    if (this.#client === undefined) return undefined;
    const { node, stream } = this.#client;
    return { node, outcomeOf: (type, name, version) => stream.outcomeOf(type, name, version) };
  }

  states(): readonly StreamState[] {
    if (this.#client === undefined) return [];
    const { node, stream } = this.#client;
    const { id, version, metadata } = node;
    const namespace = metadata[NAMESPACE];
    return stream.states().map((state) => ({
      node: id,
      variant: this.#kind.variant,
      peer: this.#caller.peer,
      namespace: typeof namespace === 'string' ? namespace : undefined,
      version,
      ...state,
    }));
  }

  #receive(bytes: Uint8Array): void {
    const { metrics, log } = this.#around;
    const excess = this.#excessOf(bytes);
    if (excess !== undefined) {
      this.refuse({ kind: 'too much', problem: excess });
      return;
    }
    const decoded = decodeRequest(this.#kind, bytes);
    if (decoded.kind === 'malformed') {
      this.refuse(decoded);
      return;
    }
    // Only the first request says who it is; what later ones say of it is not looked at.
    const client = this.#client ?? (decoded.node && this.#connect(decoded.node));
    if (this.#isOver) return;
    if (client === undefined) {
      this.refuse({ kind: 'malformed', problem: 'the first request of the stream has no node.id' });
      return;
    }
    if (decoded.kind === 'unknown type') {
      metrics?.request(undefined, 'unknown type');
      log.debug({ node: client.node.id, typeUrl: decoded.typeUrl }, 'asked for a type that is not served');
      return;
    }
    this.#take(client, decoded.request);
    this.#flush();
    this.#around.onNode?.();
  }

  /** What is too much about a request before it is read. */
  #excessOf(bytes: Uint8Array): string | undefined {
    const { limits, clock } = this.#around;
    const { requestsPerSecond, namespaceRequestsPerSecond, messageBytes } = limits;
    const nowMs = clock.now();
    if (!this.#allowance.take(nowMs)) return `more than ${requestsPerSecond} requests a second`;
    if (this.#share?.allowance.take(nowMs) === false)
      return `more than ${namespaceRequestsPerSecond} requests a second from the namespace ${this.#share.namespace}`;
    if (bytes.length > messageBytes) return `a request of ${bytes.length} bytes; ${messageBytes} are allowed`;
    return undefined;
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

  /** undefined: it is not who it says it is. */
  #connect(asked: XdsNode): Client | undefined {
    const admission = admit(asked, this.#caller.identity);
    const { id, cluster, version } = asked;
    if (admission.kind === 'refused') {
      this.refuse(admission.refusal, id);
      return undefined;
    }
    const { node } = admission;
    const { peer, identity } = this.#caller;
    const namespace = identity?.namespace;
    this.#around.log.info(
      { node: id, peer, cluster, namespace, version, variant: this.#kind.variant },
      'node connected',
    );
    if (isOlder(version, FIRST_THAT_BEARS_CHANGED_CLUSTERS)) {
      this.#around.log.warn(
        { node: id, version },
        `this Envoy may crash when a Redis Cluster is configured otherwise or removed; upgrade it to ${FIRST_THAT_BEARS_CHANGED_CLUSTERS}`,
      );
    }
    const mustAsk = version === undefined;
    const client = { node, stream: new XdsStream(this.#kind, drainMsOf(node), { mustAsk }) };
    this.#client = client;
    this.#updateSnapshot(client);
    return client;
  }

  #take({ node, stream }: Client, request: XdsRequest): void {
    const { metrics, onAcknowledgement } = this.#around;
    const { typeUrl } = request;
    const problem = tooManyNames(request, stream, this.#around.limits);
    if (problem !== undefined) {
      this.refuse({ kind: 'too much', problem });
      return;
    }
    const nowMs = this.#around.clock.now();
    const answer = stream.request(request, nowMs);
    const outcome: RequestOutcome = answer === undefined ? 'subscribed' : answer.outcome;
    metrics?.request(typeUrl, outcome);
    if (answer === undefined) return;
    const latencyMs = this.#latency.acknowledged(request.nonce, nowMs);
    if (latencyMs !== undefined) metrics?.acknowledged(typeUrl, latencyMs);
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

  /** Returns false where nothing changed. */
  #updateSnapshot({ node, stream }: Client): boolean {
    let snapshot: Snapshot | undefined;
    try {
      snapshot = this.#around.source.snapshotFor(node);
    } catch (error) {
      // The other nodes must not suffer from it; this one keeps what it has.
      this.#around.log.error({ node: node.id, err: error }, 'no snapshot could be made');
    }
    return snapshot !== undefined && stream.setSnapshot(snapshot);
  }

  #write(response: Response): void {
    const frame = encodeResponse(this.#kind.variant, response);
    const bytes = frame.reduce((sum, { length }) => sum + length, 0);
    this.#around.metrics?.response(response.typeUrl, bytes);
    this.#canWrite = this.#transport.write(frame);
  }

  #flush(): void {
    const stream = this.#client?.stream;
    if (stream === undefined) return;
    const nowMs = this.#around.clock.now();
    let hasSent = false;
    while (this.#canWrite) {
      const response = stream.next(nowMs);
      if (response === undefined) {
        if (hasSent) this.#latency.settled();
        break;
      }
      this.#latency.sent(response.nonce);
      this.#write(response);
      hasSent = true;
    }
    this.#wakeAt(this.#canWrite ? stream.wakeAt(nowMs) : undefined, nowMs);
  }

  #wakeAt(timeMs: number | undefined, nowMs: number): void {
    if (timeMs === this.#timerMs) return;
    this.#callOffTimer();
    this.#timerMs = timeMs;
    if (timeMs === undefined) return;
    const wake = (): void => {
      this.#timerMs = undefined;
      this.#flush();
    };
    this.#callOffTimer = this.#around.clock.setTimeout(() => this.#guard(wake), timeMs - nowMs);
  }
}
