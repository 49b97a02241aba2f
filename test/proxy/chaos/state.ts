/**
 * What is known of a scripted cluster, its nodes and their connections.
 */
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';

import { slotOf } from '../../../src/redis/slots.ts';
import type { Ledger } from './ledger.ts';

/** Until the proxy has heard who is where, at the latest. */
export const KNOWN_MS = 2_500;

export interface ShardView {
  readonly primary: number;
  /** As CLUSTER SLOTS lists them. */
  readonly replicas: readonly number[];
}

/** What the cluster looks like; nodes by their index. */
export interface View {
  readonly serial: number;
  readonly epoch: number;
  /** By slot; 255: nobody. */
  readonly owners: Uint8Array;
  readonly shards: readonly ShardView[];
  /** Where each node is; all have the same port. */
  readonly hosts: readonly string[];
}

export interface Migration {
  readonly from: number;
  readonly to: number;
}

export interface ClusterState {
  readonly ledger: Ledger;
  readonly nodes: readonly NodeState[];
  readonly port: number;
  /** Its nodes know nothing of each other: plain servers, over which keys are spread, or one and its replicas. */
  readonly isPlain: boolean;
  /** No read of a replica is older; undefined: any may be. */
  readonly maxLagMs: number | undefined;
  readonly label: string;
  /** What leads there does so all the time: prefixes that routes remove never come. */
  readonly hasSteadyRoutes: boolean;
  /** undefined: in the clear. */
  readonly secureContext: SecureContext | undefined;
  /** Which keys each shard has. */
  readonly keys: readonly Set<string>[];
  readonly lists: Map<string, string[]>;
  /** By slot. */
  readonly migrations: ReadonlyMap<number, Migration>;
  /** Of a node, as `view` has it; a redirection names it so. */
  addressIn(view: View, node: number): string;
  readonly truth: View;
  /** CLUSTER SLOTS and CLUSTER NODES, of a node. */
  slots(node: NodeState): string;
  members(node: NodeState): string;
  /** Whoever watches it there is to know that it has changed. */
  touch(key: string, shard: number): void;
}

export interface NodeState {
  readonly name: string;
  readonly cluster: ClusterState;
  readonly index: number;
  /** `HOST:PORT`. */
  readonly address: string;
  readonly shard: number;
  readonly id: string;
  readonly view: View;
  /** As it believes. */
  readonly isPrimary: boolean;
  /** What it says to all that needs its data; undefined: nothing keeps it. */
  readonly refusal: string | undefined;
  readonly isLoading: boolean;
  readonly isBusy: boolean;
  readonly isLinkUp: boolean;
  readonly linkDownAt: number;
  /** It has not got its primary's data: what it answers is wrong. */
  readonly isEmpty: boolean;
  /** What a write needs is held: a replica is about to take over. */
  readonly isPaused: boolean;
  /** It has not heard that another one is primary: what it carries out is lost. */
  readonly isZombie: boolean;
  /** A replica's data is so old. */
  readonly lagMs: number;
  /** It does what it is asked to. */
  readonly isAwake: boolean;
  /** How far it is in the stream of writes. */
  readonly offset: number;
  /** What it has seen since it started. */
  readonly scripts: Set<string>;
  /** Since when it is that with slots, and has not started anew. */
  readonly primarySince: number;
  /** How often each key was. */
  readonly readsOf: Map<string, number>;
  readonly talks: ReadonlySet<Talk>;
  /** Sends what nobody has asked for. */
  push(talk: Talk, text: string): void;
}

export interface Command {
  /** With keys as the ledger has them. */
  readonly words: readonly string[];
  /** As they came. */
  readonly asked: readonly string[];
  readonly arrivedAt: number;
}

/** What Redis knows of a connection. */
export interface Talk {
  readonly name: string;
  readonly socket: Socket;
  /** Under TLS what carries that; else the same. */
  readonly carrier: Socket;
  readonly queue: Command[];
  protocol: number;
  isReadonly: boolean;
  isAsking: boolean;
  /** What MULTI has queued; undefined: there is none. */
  queued: Command[] | undefined;
  isFailed: boolean;
  readonly watched: Set<string>;
  isTouched: boolean;
  readonly channels: Set<string>;
  readonly patterns: Set<string>;
  readonly shardChannels: Set<string>;
  isTracking: boolean;
  /** By key, as what it was asked for since it was last told of. */
  readonly tracked: Map<string, Set<string>>;
  /** What is to be said behind the reply to what is carried out now; undefined: nothing is. */
  behind: string[] | undefined;
  isServing: boolean;
  /** By us: what is left of it nobody reads. */
  isReset: boolean;
  /** What was answered and has not left. */
  leaving: Promise<void> | undefined;
}

export function slotOfKey(key: string): number {
  const bytes = Buffer.from(key, 'latin1');
  return slotOf(bytes, 0, bytes.length);
}

export function shown(words: readonly string[]): string {
  const text = words.join(' ');
  return text.length > 90 ? `${text.slice(0, 60)}…(${text.length})` : text;
}
