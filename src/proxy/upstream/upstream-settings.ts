/**
 * What an upstream is told by whoever starts the proxy, whatever its plan says.
 */
import type { SlowLog } from '../wire/slow-log.ts';

export interface UpstreamSettings {
  readonly hedgeAfterMs: number;
  readonly failoverWaitMs: number;
  /** Where we are; undefined: not said. */
  readonly zone?: string | undefined;
  readonly slow?: SlowLog | undefined;
  /** A replica that may be further behind gets no reads; undefined: any may. */
  readonly maxLagMs?: number | undefined;
}
