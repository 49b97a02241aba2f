/**
 * What Redis hosts are asked of themselves and what they said: an input of planning beside the objects.
 */
import type { SecretText } from '../api/secret-text.ts';

/** What a server calls its own mode (`redis_mode` of INFO). A sentinel says nothing of the servers that it watches. */
export type ObservedMode = 'cluster' | 'standalone' | 'sentinel';

/** A host whose mode no object states, and how it is asked for it. */
export interface ModeQuestion {
  /** `HOST:PORT`, with `@NAMESPACE` where that means it alone: what the answer is looked up by. */
  readonly host: string;
  /** Any of them may answer; at least one. */
  readonly addresses: readonly { readonly address: string; readonly port: number }[];
  readonly credentials: { readonly username: string | undefined; readonly password: SecretText } | undefined;
  /** undefined: plaintext. */
  readonly tls: QuestionTls | undefined;
}

export interface QuestionTls {
  /** What is asked for, and what the certificate must be for: a DNS name or an IP address. */
  readonly serverName: string;
  readonly skipVerification: boolean;
  /** PEM; undefined: those of the system. */
  readonly authorities: SecretText | undefined;
  /** What is presented; PEM. */
  readonly certificate: { readonly chain: SecretText; readonly key: SecretText } | undefined;
}

/** Questions by upstream that came or changed; undefined: it asks no longer. Several may ask about one host. */
export type QuestionChanges = ReadonlyMap<string, ModeQuestion | undefined>;

/**
 * Where the servers of a Redis Cluster are that is reached by a stable name: who knows its topology asks that name no
 * more, and so loses a cluster whose servers were all replaced at once.
 */
export interface Members {
  /** `HOST:PORT` */
  readonly host: string;
  /** `ADDRESS:PORT`, none twice. */
  readonly addresses: readonly string[];
}

/** Members by upstream that came or changed; undefined: of no interest any longer. */
export type MemberChanges = ReadonlyMap<string, Members | undefined>;

/** By host (`HOST:PORT`): how often all of its servers were replaced at once. */
export type Generations = ReadonlyMap<string, number>;

/** Answers by host; undefined: forgotten. */
export type ObservationChanges = ReadonlyMap<string, ObservedMode | undefined>;
