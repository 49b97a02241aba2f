/**
 * RedisDestination: how a host is reached.
 */
import { parseAuth } from './auth.ts';
import { isMap, type Fields } from './fields.ts';
import { hostProblem, parseHostPort } from './host-port.ts';
import type { HostPort, Mode, ObjectHeader, RedisDestination } from './objects.ts';
import type { Report } from './report.ts';

/** In the order of their numbers. */
const MODES: readonly Mode[] = ['PROXY', 'CLUSTER'];

const isDisabled = (value: unknown): boolean => isMap(value) && value['mode'] === 'DISABLE';

/** Reports every problem; undefined where the object can't be used. */
export function parseRedisDestination(
  root: Fields,
  header: ObjectHeader,
  report: Report,
): RedisDestination | undefined {
  const spec = root.map('spec');
  if (spec === undefined) {
    if (!root.has('spec')) root.invalid('spec', 'is missing; write spec with a host');
    return undefined;
  }
  const host = spec.text('host');
  if (!spec.has('host')) spec.invalid('host', 'is missing; write the name of a Service or a DNS name');
  const problem = host === undefined ? undefined : hostProblem(host);
  if (problem !== undefined) spec.invalid('host', problem);

  const policy = spec.map('trafficPolicy');
  policy?.refuse('tls', isDisabled);
  const pool = policy?.map('connectionPool');
  const redis = pool?.map('redis');
  const tcp = pool?.map('tcp');
  const mode = redis?.choice('mode', 'a mode', MODES);
  const auth = redis === undefined ? undefined : parseAuth(redis);
  const discoveryEndpoints = redis === undefined ? [] : parseSeeds(redis, mode, report);
  const connectTimeoutMs = tcp?.durationMs('connectTimeout');
  tcp?.refuse('maxConnections');
  tcp?.refuse('tcpKeepalive');

  redis?.done({ connectTimeout: 'trafficPolicy.connectionPool.tcp' });
  tcp?.done({ mode: 'trafficPolicy.connectionPool.redis', auth: 'trafficPolicy.connectionPool.redis' });
  pool?.done({ mode: 'trafficPolicy.connectionPool.redis', auth: 'trafficPolicy.connectionPool.redis' });
  policy?.done({ redis: 'trafficPolicy.connectionPool', tcp: 'trafficPolicy.connectionPool' });
  spec.done({ connectionPool: 'spec.trafficPolicy', mode: 'spec.trafficPolicy.connectionPool.redis' });
  root.done();
  if (report.hasErrors || host === undefined) return undefined;
  return { kind: 'RedisDestination', ...header, host, mode, auth, discoveryEndpoints, connectTimeoutMs };
}

function parseSeeds(redis: Fields, mode: Mode | undefined, report: Report): readonly HostPort[] {
  const seeds = redis.texts('discoveryEndpoints').flatMap(({ text, path }) => {
    const { value, problem } = parseHostPort(text);
    if (problem === undefined) return [value];
    report.invalid(path, problem);
    return [];
  });
  if (seeds.length > 0 && mode === 'PROXY') {
    redis.invalid('discoveryEndpoints', 'is for a Redis Cluster only; write mode CLUSTER, or remove it');
  }
  return seeds;
}
