/**
 * What one client may ask of the server: enough for any Envoy, and an end for what is not one.
 */
import type { TypeUrl } from '../envoy/resource.ts';
import type { XdsRequest } from './requests.ts';

export interface Limits {
  readonly messageBytes: number;
  /** Names that a stream is subscribed to, of one type. */
  readonly names: number;
  readonly nameLength: number;
  /** Requests of one stream: this many at once, and then so many a second. */
  readonly requestBurst: number;
  readonly requestsPerSecond: number;
  /** Requests of all streams of one namespace, where certificates say whose they are. */
  readonly namespaceRequestBurst: number;
  readonly namespaceRequestsPerSecond: number;
  /** Of all clients, of those of one namespace, and of one connection. */
  readonly streams: number;
  readonly namespaceStreams: number;
  readonly streamsPerConnection: number;
  readonly connections: number;
}

/**
 * A reconnecting delta client names everything that it holds, about 100 bytes a resource: 4 MiB are 40,000. Envoy sends
 * a request for each response, and at its start one for each cluster with endpoints.
 */
export const DEFAULT_LIMITS: Limits = {
  messageBytes: 4 * 1024 * 1024,
  names: 20_000,
  nameLength: 1_024,
  requestBurst: 20_000,
  requestsPerSecond: 200,
  // Five thousand Envoys that come at once, with a request for each of a hundred clusters with endpoints.
  namespaceRequestBurst: 500_000,
  namespaceRequestsPerSecond: 10_000,
  streams: 50_000,
  // Half of all: the others' Envoys get their configuration whatever those of one namespace do.
  namespaceStreams: 25_000,
  // Without ADS, Envoy opens a stream for each cluster with endpoints.
  streamsPerConnection: 5_000,
  connections: 20_000,
};

/** What is too much about the names of a request; undefined: nothing. */
export function tooManyNames(
  request: XdsRequest,
  subscribed: { nameCount(type: TypeUrl): number },
  limits: Limits,
): string | undefined {
  const asked = request.variant === 'delta' ? request.subscribe : request.names;
  if (asked.length === 0) return undefined;
  // What is asked for again counts twice; only a client that is at the limit anyway can notice.
  const held = request.variant === 'delta' ? subscribed.nameCount(request.typeUrl) : 0;
  if (asked.length + held > limits.names) return `more than ${limits.names} names of one type`;
  const long = asked.find((name) => name.length > limits.nameLength);
  return long === undefined
    ? undefined
    : `a name of ${long.length} characters; ${limits.nameLength} are allowed`;
}

export interface Rate {
  /** So many at once … */
  readonly burst: number;
  readonly perSecond: number;
}

/** A bucket of tokens, one for each request, that fills up with time. */
export class RequestAllowance {
  readonly #rate: Rate;
  #tokens: number;
  #filledMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#filledMs = nowMs;
  }

  /** False: the request is one too many. */
  take(nowMs: number): boolean {
    const { burst, perSecond } = this.#rate;
    const earned = ((nowMs - this.#filledMs) / 1_000) * perSecond;
    this.#tokens = Math.min(burst, this.#tokens + earned);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
