/**
 * spec.settings of a RedisService.
 */
import { parseAuth } from './auth.ts';
import type { Fields } from './fields.ts';
import type { Batching, ReadPolicy, RedisService } from './objects.ts';
import type { Report } from './report.ts';

/** In the order of their numbers. */
const READ_POLICIES: readonly ReadPolicy[] = ['MASTER', 'PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY'];

/** A hung node stalls its clients that long. */
const DEFAULT_OP_TIMEOUT_MS = 5_000;

/** Envoy's own, where only the size is given. */
const DEFAULT_FLUSH_MS = 3;

export type Settings = Pick<
  RedisService,
  | 'readPolicy'
  | 'opTimeoutMs'
  | 'enableRedirection'
  | 'caseInsensitive'
  | 'enableHashtagging'
  | 'enableCommandStats'
  | 'batching'
  | 'maxUpstreamUnknownConnections'
  | 'auth'
>;

/** What each of them is without spec.settings. */
export function parseSettings(settings: Fields | undefined, report: Report): Settings {
  const readPolicy = settings?.choice('readPolicy', 'a read policy', READ_POLICIES) ?? 'MASTER';
  const enableRedirection = settings?.flag('enableRedirection');
  const parsed: Settings = {
    readPolicy,
    opTimeoutMs: settings?.durationMs('opTimeout') ?? DEFAULT_OP_TIMEOUT_MS,
    enableRedirection,
    caseInsensitive: settings?.flag('caseInsensitive') ?? false,
    enableHashtagging: settings?.flag('enableHashtagging') ?? false,
    enableCommandStats: settings?.flag('enableCommandStats') ?? false,
    batching: settings && parseBatching(settings, report),
    maxUpstreamUnknownConnections: settings?.integer('maxUpstreamUnknownConnections', 'a number', UINT32),
    auth: settings && parseAuth(settings),
  };
  settings?.done({ host: 'spec', redis: 'spec', faults: 'spec', ...IN_DESTINATION });
  if (settings !== undefined && enableRedirection === false && readPolicy !== 'MASTER') {
    report.add(
      'warning',
      'WritesAsReads',
      settings.at('enableRedirection'),
      `with ${readPolicy} some writes (GETSET, GETEX, XADD and other stream commands) reach replicas, since Envoy takes ` +
        'them for reads; only a followed redirection brings them to the primary. Remove it, or write true',
    );
  }
  return parsed;
}

const UINT32 = { min: 0, max: 4_294_967_295 };

/** What people look for here and belongs to how a host is reached. */
const IN_DESTINATION = {
  connectTimeout: 'trafficPolicy.connectionPool.tcp of a RedisDestination',
  maxConnections: 'trafficPolicy.connectionPool.tcp of a RedisDestination',
  mode: 'trafficPolicy.connectionPool.redis of a RedisDestination',
  tls: 'trafficPolicy of a RedisDestination',
};

function parseBatching(settings: Fields, report: Report): Batching | undefined {
  const bytes = settings.integer('maxBufferSizeBeforeFlush', 'a size in bytes', UINT32);
  const flushAfterMs = settings.durationMs('bufferFlushTimeout');
  if (bytes !== undefined && bytes > 0) return { bytes, flushAfterMs: flushAfterMs ?? DEFAULT_FLUSH_MS };
  if (flushAfterMs !== undefined && !(bytes === undefined && settings.has('maxBufferSizeBeforeFlush'))) {
    report.add(
      'warning',
      'InvalidValue',
      settings.at('bufferFlushTimeout'),
      'has no effect, since nothing is gathered; write maxBufferSizeBeforeFlush beside it, or remove it',
    );
  }
  return undefined;
}
