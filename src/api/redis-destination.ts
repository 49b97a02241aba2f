/**
 * RedisDestination: how a host is reached.
 */
import { parseAuth } from './auth.ts';
import type { Fields } from './fields.ts';
import { hostProblem, parseHostPort } from './host-port.ts';
import type { HostPort, Mode, ObjectHeader, RedisDestination, TcpKeepalive, Tls } from './objects.ts';
import type { Report } from './report.ts';

/** In the order of their numbers. */
const MODES: readonly Mode[] = ['PROXY', 'CLUSTER'];

const TLS_MODES = ['DISABLE', 'SIMPLE', 'MUTUAL'] as const;

/** Linux' own bounds: beyond them every connection would fail. */
const MAX_PROBES = 127;
const MAX_SECONDS = 32_767;

/** Reports every problem; undefined where the object can't be used. */
export function parseRedisDestination(
  root: Fields,
  header: ObjectHeader,
  report: Report,
): RedisDestination | undefined {
  const spec = root.map('spec');
  root.done();
  if (spec === undefined) {
    if (!root.has('spec')) root.invalid('spec', 'is missing; write spec with a host');
    return undefined;
  }
  const host = spec.text('host');
  if (!spec.has('host')) spec.invalid('host', 'is missing; write the name of a Service or a DNS name');
  const problem = host === undefined ? undefined : hostProblem(host);
  if (problem !== undefined) spec.invalid('host', problem);

  const policy = spec.map('trafficPolicy');
  const tls = policy && parseTls(policy);
  const pool = policy?.map('connectionPool');
  const redis = pool?.map('redis');
  const tcp = pool?.map('tcp');
  const mode = redis?.choice('mode', 'a mode', MODES);
  const auth = redis === undefined ? undefined : parseAuth(redis);
  const discoveryEndpoints = redis === undefined ? [] : parseSeeds(redis, mode, report);
  const connectTimeoutMs = tcp?.durationMs('connectTimeout');
  const most = tcp?.integer('maxConnections', 'a number of connections', INT32);
  const tcpKeepalive = tcp && parseKeepalive(tcp);

  redis?.done({ connectTimeout: 'trafficPolicy.connectionPool.tcp' });
  tcp?.done({ mode: 'trafficPolicy.connectionPool.redis', auth: 'trafficPolicy.connectionPool.redis' });
  pool?.done({ mode: 'trafficPolicy.connectionPool.redis', auth: 'trafficPolicy.connectionPool.redis' });
  policy?.done({ redis: 'trafficPolicy.connectionPool', tcp: 'trafficPolicy.connectionPool' });
  spec.done({ connectionPool: 'spec.trafficPolicy', mode: 'spec.trafficPolicy.connectionPool.redis' });
  if (report.hasErrors || host === undefined) return undefined;
  return {
    kind: 'RedisDestination',
    ...header,
    host,
    mode,
    auth,
    discoveryEndpoints,
    connectTimeoutMs,
    // 0 is no limit, as Aeraki has it.
    maxConnections: most === 0 ? undefined : most,
    tcpKeepalive,
    tls,
  };
}

const INT32 = { min: 0, max: 2_147_483_647 };

function parseKeepalive(tcp: Fields): TcpKeepalive | undefined {
  const fields = tcp.map('tcpKeepalive');
  if (fields === undefined) return undefined;
  const keepalive: TcpKeepalive = {
    probes: fields.integer('probes', 'a number of probes', { min: 1, max: MAX_PROBES }),
    timeSeconds: fields.durationSeconds('time', MAX_SECONDS),
    intervalSeconds: fields.durationSeconds('interval', MAX_SECONDS),
  };
  fields.done();
  return keepalive;
}

function parseTls(policy: Fields): Tls | undefined {
  const fields = policy.map('tls');
  if (fields === undefined) return undefined;
  const mode = fields.choice('mode', 'a mode of TLS', TLS_MODES);
  if (!fields.has('mode')) fields.invalid('mode', `is missing; write one of ${TLS_MODES.join(', ')}`);
  const secret = fields.secretMap('secret');
  const secretName = secret?.text('name');
  if (secret !== undefined && (secretName === '' || !secret.has('name'))) {
    secret.invalid('name', 'is empty; write the name of a Secret of this namespace');
  }
  secret?.done();
  const serverName = fields.text('serverName');
  const problem = serverName === undefined ? undefined : hostProblem(serverName);
  if (problem !== undefined) fields.invalid('serverName', problem);
  const insecureSkipVerify = fields.flag('insecureSkipVerify') ?? false;
  fields.done({ name: 'secret' });
  if (mode === undefined || mode === 'DISABLE') return undefined;
  if (mode === 'MUTUAL' && !fields.has('secret')) {
    fields.invalid(
      'secret',
      'is missing; MUTUAL presents a certificate: write the name of a Secret with tls.crt and tls.key',
    );
  }
  return { mode, secretName, serverName, insecureSkipVerify };
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
