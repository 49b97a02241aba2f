/**
 * What a stream is to have of one type, and what it lacks of that.
 */
import type { Resource } from '../envoy/resource.ts';
import type { ResourceSet, Transition } from '../envoy/resource-set.ts';

/** The resources of one type that one stream is served. */
export interface Served {
  readonly resources: ResourceSet;
  /** Gone, but not to be reported as removed yet, and their content is unknown. */
  readonly withheld: ReadonlySet<string>;
  /** Number of the snapshot. */
  readonly sequence: number;
}

export interface Difference {
  readonly content: Transition;
  /** Gone for the client; a full set says so by silence. */
  readonly removed: readonly string[];
  /** Resources of the content that are new to the client; the others are repeated. */
  readonly fresh: readonly Resource[];
  /** Of the repeated ones, those that it refused: it has not got them. */
  readonly retried: readonly Resource[];
}

export const NO_RESOURCES: readonly Resource[] = [];
