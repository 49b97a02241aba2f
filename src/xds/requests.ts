/**
 * What clients say on an xDS stream, as the subscriptions see it: without Protobuf and without the transport.
 */
import type { TypeUrl } from '../envoy/resource.ts';

export type Variant = 'state of the world' | 'delta';

/** What the method says of a stream before its first request. */
export interface StreamKind {
  readonly variant: Variant;
  /** The only type on the stream; undefined: an aggregated stream, with all of them. */
  readonly only: TypeUrl | undefined;
}

interface Reply {
  readonly typeUrl: TypeUrl;
  /** Of the response that is answered; empty where the client speaks of its own accord. */
  readonly nonce: string;
  /** The client's words where it refuses; undefined where it accepts. Nothing else tells the two apart. */
  readonly error: string | undefined;
}

export interface WorldRequest extends Reply {
  readonly variant: 'state of the world';
  /** The last version the client accepted; empty where it has none. */
  readonly version: string;
  /** The whole subscription, each time. */
  readonly names: readonly string[];
}

export interface DeltaRequest extends Reply {
  readonly variant: 'delta';
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** What a reconnecting client brings along, version by name; looked at in the first request of a type only. */
  readonly known: ReadonlyMap<string, string>;
}

export type XdsRequest = WorldRequest | DeltaRequest;
