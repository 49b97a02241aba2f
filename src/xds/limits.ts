/**
 * What one client may ask of the server: enough for any Envoy, and an end for what is not one.
 */
import type { XdsRequest } from './requests.ts';

export interface Limits {
  readonly messageBytes: number;
  /** Names that a stream is subscribed to, of one type. */
  readonly names: number;
  readonly nameLength: number;
  /** Requests of one stream: this many at once, and then so many a second. */
  readonly requestBurst: number;
  readonly requestsPerSecond: number;
  /** Of all clients, and of one connection. */
  readonly streams: number;
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
  streams: 50_000,
  // Without ADS, Envoy opens a stream for each cluster with endpoints.
  streamsPerConnection: 5_000,
  connections: 20_000,
};

/** What is too much about the names of a request; undefined: nothing. `held` are the names subscribed to so far. */
export function tooManyNames(request: XdsRequest, held: number, limits: Limits): string | undefined {
  const asked = request.variant === 'delta' ? request.subscribe : request.names;
  // What is asked for again counts twice; only a client that is at the limit anyway can notice.
  const count = asked.length + (request.variant === 'delta' ? held : 0);
  if (asked.length > 0 && count > limits.names) return `more than ${limits.names} names of one type`;
  const long = asked.find((name) => name.length > limits.nameLength);
  return long === undefined
    ? undefined
    : `a name of ${long.length} characters; ${limits.nameLength} are allowed`;
}

/** A bucket of tokens, one for each request, that fills up with time. */
export class RequestAllowance {
  readonly #limits: Limits;
  #tokens: number;
  #filledMs: number;

  constructor(limits: Limits, nowMs: number) {
    this.#limits = limits;
    this.#tokens = limits.requestBurst;
    this.#filledMs = nowMs;
  }

  /** False: the request is one too many. */
  take(nowMs: number): boolean {
    const { requestBurst, requestsPerSecond } = this.#limits;
    const earned = ((nowMs - this.#filledMs) / 1_000) * requestsPerSecond;
    this.#tokens = Math.min(requestBurst, this.#tokens + earned);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
