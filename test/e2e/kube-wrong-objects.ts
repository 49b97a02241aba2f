/**
 * Wrong objects: each field of the CRDs, with a value of the wrong type, out of range, or near to a right one.
 */
export interface WrongObject {
  readonly kind: 'RedisService' | 'RedisDestination';
  /** Where the value is put: `spec.redis[0].route.port`. */
  readonly at: string;
  readonly value: unknown;
  /** What the API server calls the field that is wrong. */
  readonly field: string;
  /** What the API server says, beside the field. */
  readonly says: RegExp;
}

const TYPE = /must be of type (string|integer|boolean|array|object|number)/;
const DURATION = /write a (number and a unit|duration of at least 1ms)/;
const MOST = /should be less than or equal to|may not be (more than|longer than)|must have at most/;
const LEAST = /should be greater than or equal to/;
const UNKNOWN = /unknown field/;

const AUTH = (at: string): readonly Row[] => [
  [at, 'secret', TYPE],
  [at, {}, /write plain with a password, or secret/],
  [at, { plain: { password: 'a' }, secret: { name: 'a' } }, /exactly one of plain and secret/],
  [at, { Secret: { name: 'a' }, plain: { password: 'a' } }, UNKNOWN, '.Secret'],
  [`${at}.plain`, 'password', TYPE],
  [`${at}.plain`, {}, /write one below password/],
  [`${at}.plain`, { password: ' ' }, /write one below password/],
  [`${at}.plain.password`, 12_345, TYPE],
  [`${at}.plain.password`, 'x'.repeat(1_025), MOST],
  [`${at}.plain`, { password: 'a', userName: 'b' }, UNKNOWN, '.userName'],
  [`${at}.plain`, { password: 'a', username: 7 }, TYPE, '.username'],
  [`${at}.secret`, 'redis', TYPE],
  [`${at}.secret`, {}, /write the name of a Secret/],
  [`${at}.secret`, { name: '' }, /write the name of a Secret/],
  [`${at}.secret.name`, ['redis'], TYPE],
  [`${at}.secret`, { name: 'a', passwordfield: 'b' }, UNKNOWN, '.passwordfield'],
  [`${at}.secret`, { name: 'a', passwordField: 1 }, TYPE, '.passwordField'],
  [`${at}.secret`, { name: 'a', usernameField: true }, TYPE, '.usernameField'],
];

const HOST = (at: string): readonly Row[] => [
  [at, 6379, TYPE],
  [at, '', /write the name of a Service or a DNS name/],
  [at, 'redis://redis', /write the host alone/],
  [at, 'redis:6379', /write the host alone/],
  [at, '*.redis', /write one host/],
  [at, 'red is', /write letters, digits and -/],
  [at, 'a'.repeat(254), MOST],
];

const PLACE = (at: string): readonly Row[] => [
  [at, 'redis', TYPE],
  [at, {}, /write the name of a Service or a DNS name/],
  [at, { host: 'other', Port: 1 }, UNKNOWN, '.Port'],
  ...HOST(`${at}.host`),
  [at, { host: 'other', port: '6379' }, TYPE, '.port'],
  [at, { host: 'other', port: 0 }, LEAST, '.port'],
  [at, { host: 'other', port: 65_536 }, MOST, '.port'],
  [at, { host: 'other', port: 6379.5 }, TYPE, '.port'],
];

const DURATIONS = (at: string): readonly Row[] => [
  [at, 5, TYPE],
  [at, '5', DURATION],
  [at, '5 s', DURATION],
  [at, '-5s', DURATION],
  [at, '0s', DURATION],
  [at, '700h', DURATION],
  [at, 'five seconds', DURATION],
];

const FLAG = (at: string): readonly Row[] => [
  [at, 'true', TYPE],
  [at, 1, TYPE],
];

const COUNT = (at: string): readonly Row[] => [
  [at, '10', TYPE],
  [at, -1, LEAST],
  [at, 4_294_967_296, MOST],
];

const PERCENTAGE = (at: string): readonly Row[] => [
  [at, 50, TYPE],
  [`${at}.value`, '50', TYPE],
  [`${at}.value`, 101, MOST],
  [`${at}.value`, -1, LEAST],
  [at, { value: 5, Value: 50 }, UNKNOWN, '.Value'],
];

/** `field`: `.name` is below `at`; absent: `at` itself. */
type Row = readonly [at: string, value: unknown, says: RegExp, field?: string];

const OF_SERVICE: readonly Row[] = [
  ['spec', 'redis', TYPE],
  ['spec', {}, /write a list of the services/],
  ['spec', { host: ['redis'], hosts: ['redis'] }, UNKNOWN, '.hosts'],
  ['spec', { host: ['redis'], readPolicy: 'REPLICA' }, UNKNOWN, '.readPolicy'],
  ['spec.host', 'redis', TYPE],
  ['spec.host', [], /write the names of the services/],
  ['spec.host', ['a', 'A'], /names a host twice/],
  ['spec.host', Array.from({ length: 33 }, (_, index) => `host-${index}`), MOST],
  ...HOST('spec.host[0]'),
  ['spec.settings', 'REPLICA', TYPE],
  ['spec.settings', { readpolicy: 'REPLICA' }, UNKNOWN, '.readpolicy'],
  ['spec.settings', { ReadPolicy: 'REPLICA' }, UNKNOWN, '.ReadPolicy'],
  ['spec.settings.readPolicy', 'REPLICAS', /supported values: "MASTER"/],
  ['spec.settings.readPolicy', 'replica', /supported values/],
  ['spec.settings.readPolicy', 'PREFER-REPLICA', /supported values/],
  ['spec.settings.readPolicy', 2, TYPE],
  ...FLAG('spec.settings.caseInsensitive'),
  ...DURATIONS('spec.settings.opTimeout'),
  ...FLAG('spec.settings.enableCommandStats'),
  ...FLAG('spec.settings.enableHashtagging'),
  ...FLAG('spec.settings.enableRedirection'),
  ...COUNT('spec.settings.maxBufferSizeBeforeFlush'),
  ...DURATIONS('spec.settings.bufferFlushTimeout'),
  ...COUNT('spec.settings.maxUpstreamUnknownConnections'),
  ...AUTH('spec.settings.auth'),
  ['spec.redis', {}, TYPE],
  ['spec.redis', [{ route: { host: 'a' } }, { route: { host: 'b' } }], /two rules without a prefix/],
  [
    'spec.redis',
    [
      { match: { key: { prefix: 'a' } }, route: { host: 'a' } },
      { match: { key: { prefix: 'a' } }, route: { host: 'b' } },
    ],
    /one prefix in two rules/,
  ],
  ['spec.redis[0]', 'redis', TYPE],
  ['spec.redis[0]', {}, /write route with the host/],
  ['spec.redis[0]', { route: { host: 'a' }, Match: {} }, UNKNOWN, '.Match'],
  ['spec.redis[0].match', 'a', TYPE],
  ['spec.redis[0].match', { prefix: 'a' }, UNKNOWN, '.prefix'],
  ['spec.redis[0].match.key', 'a', TYPE],
  ['spec.redis[0].match.key', { removePrefix: true }, /write a prefix beside it/],
  ['spec.redis[0].match.key.prefix', 5, TYPE],
  ['spec.redis[0].match.key.prefix', 'x'.repeat(1_001), MOST],
  ...FLAG('spec.redis[0].match.key.removePrefix'),
  ...PLACE('spec.redis[0].route'),
  ...PLACE('spec.redis[0].route.reads'),
  ['spec.redis[0].mirror', 'other', TYPE],
  ['spec.redis[0].mirror[0]', {}, /write route with the host that the copy goes to/],
  ['spec.redis[0].mirror', [{ route: { host: 'redis' } }], /remove the mirror/, 'spec.redis[0]'],
  ...PLACE('spec.redis[0].mirror[0].route'),
  ...PERCENTAGE('spec.redis[0].mirror[0].percentage'),
  ...FLAG('spec.redis[0].mirror[0].excludeReadCommands'),
  ['spec.faults', {}, TYPE],
  ['spec.faults[0]', {}, /write delay/],
  ['spec.faults[0]', { type: 'DELAY' }, /write delay/],
  ['spec.faults[0].type', 'ABORT', /supported values: "DELAY"/],
  ['spec.faults[0].type', 1, TYPE],
  ...PERCENTAGE('spec.faults[0].percentage'),
  ...DURATIONS('spec.faults[0].delay'),
  ['spec.faults[0].commands', 'GET', TYPE],
  ['spec.faults[0].commands[0]', 'GET key', /write one as Redis knows it/],
  ['spec.faults[0].commands[0]', 1, TYPE],
];

const TCP = 'spec.trafficPolicy.connectionPool.tcp';
const REDIS = 'spec.trafficPolicy.connectionPool.redis';
const TLS = 'spec.trafficPolicy.tls';

const OF_DESTINATION: readonly Row[] = [
  ['spec', {}, /write the name of a Service/],
  ...HOST('spec.host'),
  ['spec', { host: 'redis', connectionPool: {} }, UNKNOWN, '.connectionPool'],
  ['spec.trafficPolicy', [], TYPE],
  ['spec.trafficPolicy.connectionPool', 'x', TYPE],
  [`${TCP}.maxConnections`, '5', TYPE],
  [`${TCP}.maxConnections`, -1, LEAST],
  [`${TCP}.maxConnections`, 2_147_483_648, MOST],
  ...DURATIONS(`${TCP}.connectTimeout`),
  [`${TCP}.tcpKeepalive`, true, TYPE],
  ...COUNT(`${TCP}.tcpKeepalive.probes`),
  ...DURATIONS(`${TCP}.tcpKeepalive.time`),
  ...DURATIONS(`${TCP}.tcpKeepalive.interval`),
  [`${REDIS}.mode`, 'cluster', /supported values: "PROXY"/],
  [`${REDIS}.mode`, 1, TYPE],
  [REDIS, { Mode: 'CLUSTER' }, UNKNOWN, '.Mode'],
  ...AUTH(`${REDIS}.auth`),
  [`${REDIS}.discoveryEndpoints`, 'redis:6379', TYPE],
  [REDIS, { mode: 'PROXY', discoveryEndpoints: ['redis'] }, /write mode CLUSTER/],
  [`${REDIS}.discoveryEndpoints[0]`, 'redis://redis', /write host, host:port/],
  [`${REDIS}.discoveryEndpoints[0]`, 'redis:port', /write a whole number from 1 to 65535/],
  [`${REDIS}.discoveryEndpoints[0]`, 6379, TYPE],
  [`${TLS}.mode`, 'STRICT', /supported values: "DISABLE"/],
  [TLS, { mode: 'MUTUAL' }, /write secret with the name/],
  [`${TLS}.secret`, {}, /write the name of a Secret/],
  [`${TLS}.serverName`, 1, TYPE],
  ...FLAG(`${TLS}.insecureSkipVerify`),
];

export const WRONG_OBJECTS: readonly WrongObject[] = [
  ...OF_SERVICE.map((row) => ofRow('RedisService', row)),
  ...OF_DESTINATION.map((row) => ofRow('RedisDestination', row)),
];

function ofRow(kind: WrongObject['kind'], [at, value, says, field = '']: Row): WrongObject {
  return { kind, at, value, says, field: field.startsWith('spec') ? field : `${at}${field}` };
}

/** What stands beside the wrong value, so that only that is wrong. */
const SURROUNDINGS: readonly (readonly [pattern: RegExp, fields: object])[] = [
  [/^spec\.redis\[0\]$/, { route: { host: 'redis' } }],
  [/\.route$|\.reads$/, { host: 'other' }],
  [/\.mirror\[0\]$/, { route: { host: 'other' } }],
  [/\.faults\[0\]$/, { type: 'ERROR' }],
  [/\.tls$/, { mode: 'SIMPLE' }],
];

/** A whole object with that value in it. */
export function objectOf(
  { kind, at, value }: Pick<WrongObject, 'kind' | 'at' | 'value'>,
  namespace: string,
): object {
  const object: Record<string, unknown> = {
    apiVersion: 'redis.aeraki.io/v1alpha1',
    kind,
    metadata: { name: 'wrong', namespace },
    spec: kind === 'RedisService' ? { host: ['redis'] } : { host: 'redis' },
  };
  const parts = [...at.matchAll(/([A-Za-z]+)|\[(\d+)\]/g)].map(([, name, index]) => name ?? Number(index));
  let inside = object as Record<string | number, unknown>;
  let path = '';
  for (const [place, part] of parts.entries()) {
    path += typeof part === 'number' ? `[${part}]` : `${path === '' ? '' : '.'}${part}`;
    if (place === parts.length - 1) {
      inside[part] = value;
      break;
    }
    const beside = SURROUNDINGS.find(([pattern]) => pattern.test(path))?.[1] ?? {};
    inside[part] ??= typeof parts[place + 1] === 'number' ? [] : structuredClone(beside);
    inside = inside[part] as Record<string | number, unknown>;
  }
  return object;
}
