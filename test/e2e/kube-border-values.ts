/**
 * Values at the borders of what a field may be, where the CRD and the parser say the same in two languages.
 */
import type { WrongObject } from './kube-wrong-objects.ts';

type Kind = WrongObject['kind'];
type Row = readonly [kind: Kind, at: string, values: readonly unknown[]];

const LABEL = 'a'.repeat(63);
const LONGEST = [LABEL, LABEL, LABEL, 'a'.repeat(61)].join('.');

const ADDRESSES =
  `1.2 1.2.3 1.2.3.4 1.2.3.4. 1.2.3.4.5 01.2.3.4 256.1.1.1 300.1.1.1 1.2.3.a 999.999 :: ::1 ::G 1::2::3
  fd00::1 fe80::1%eth0 ::ffff:1.2.3.4 0:0:0:0:0:ffff:102:304 ::1.2.3.4 1:2:3:4:5:6:7:8 1:2:3:4:5:6:7:8:9`.split(
    /\s+/,
  );
const HOSTS = [
  ...ADDRESSES,
  ...'a A a. a..b .a . _a a_ -a a- a/b a@b u:p@h * *.a a.* a:1 [::1] [a] 1.2.3.4:5 redis://a REDIS://a'.split(
    ' ',
  ),
  LABEL,
  `${LABEL}a`,
  LONGEST,
  `${LONGEST}.`,
  'ä',
  ' a',
  'a ',
  'a\n',
  '',
  null,
];
const PLACES = [
  ...HOSTS,
  ...'a:0 a:00 a:01 a:000001 a:65535 a:65536 a:99999 a:-1 a:1e3 a: :1 a:x a:1:2 a.:1 -a:1 *:1 300.1.1.1:1'.split(
    ' ',
  ),
  ...'[::1]: [::1]:0 [::1]:1 [::1]:65536 [:::]:1 [g]:1 [1.2.3.4]:1 [.] [dead:beef]:1 [] [12] [::1]1'.split(
    ' ',
  ),
  `${LONGEST}:1`,
  `${LONGEST}.:1`,
  '[::1]:1:2',
  'a: 1',
  '[fe80::1%eth0]:1',
  '[::ffff:1.2.3.4]:1',
];
const DURATIONS = [
  ...'1s 0s 0.0s 1 1.5s 1.s .5s 1m30s 30s1m 500ms1s 1us 1ns 1d 1S +1s -1s 596h 596h0.0001ms 596h1s 597h'.split(
    ' ',
  ),
  ...'35760m 35761m 2145600001ms 0.4ms 0.5ms 0.0004s 0.0005s 0.000000001s 01.50s 1ms0s 1e3s 1,5s s 1s1'.split(
    ' ',
  ),
  '1 s',
  ' 1s',
  '1s\n',
  '',
  null,
  1,
];
const COUNTS = [
  0,
  1,
  -1,
  1.5,
  127,
  128,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  '1',
  null,
];
const PERCENTAGES = [
  ...[0, 100, 100.0001, -0.0001, 0.0001, 0.00001, 0.00005, 33.3333, 33.33333, 99.99999].map((value) => ({
    value,
  })),
  {},
  { value: null },
  null,
  1,
];
const COMMANDS = 'GET get RESTORE-ASKING bitfield_ro json.get _ft.config 1.a a. .a -a.b a.b-c_d'.split(' ');

const TCP = 'spec.trafficPolicy.connectionPool.tcp';
const KEEPALIVE = [...DURATIONS, '32767s', '32768s', '1500ms', '2000ms', '9h', '10h'];

export const BORDER_VALUES: readonly Row[] = [
  ...['spec.host[0]', 'spec.redis[0].route.host', 'spec.redis[0].route.reads.host'].map((at): Row => [
    'RedisService',
    at,
    HOSTS,
  ]),
  ['RedisService', 'spec.redis[0].mirror[0].route.host', HOSTS],
  ['RedisService', 'spec.redis[0].route', COUNTS.map((port) => ({ host: 'a', port }))],
  [
    'RedisService',
    'spec.redis[0].match.key.prefix',
    ['', 'x', 'x'.repeat(1_001), 'ä'.repeat(500), 'ä'.repeat(501)],
  ],
  ['RedisService', 'spec.redis[0].mirror[0].percentage', PERCENTAGES],
  ['RedisService', 'spec.faults[0].percentage', PERCENTAGES],
  ['RedisService', 'spec.faults[0].delay', DURATIONS],
  ['RedisService', 'spec.faults[0].commands[0]', COMMANDS],
  ['RedisService', 'spec.settings.opTimeout', DURATIONS],
  ['RedisService', 'spec.settings.bufferFlushTimeout', DURATIONS],
  ['RedisService', 'spec.settings.maxBufferSizeBeforeFlush', COUNTS],
  ['RedisService', 'spec.settings.maxUpstreamUnknownConnections', COUNTS],
  ['RedisDestination', 'spec.host', HOSTS],
  ['RedisDestination', 'spec.trafficPolicy.connectionPool.redis.discoveryEndpoints[0]', PLACES],
  ['RedisDestination', `${TCP}.connectTimeout`, DURATIONS],
  ['RedisDestination', `${TCP}.maxConnections`, COUNTS],
  ['RedisDestination', `${TCP}.tcpKeepalive.probes`, COUNTS],
  ['RedisDestination', `${TCP}.tcpKeepalive.time`, KEEPALIVE],
  ['RedisDestination', `${TCP}.tcpKeepalive.interval`, KEEPALIVE],
  ['RedisDestination', 'spec.trafficPolicy.tls', HOSTS.map((serverName) => ({ mode: 'SIMPLE', serverName }))],
  ['RedisDestination', 'spec.trafficPolicy.tls', [{}, null, { mode: null }, { mode: 'DISABLE', secret: {} }]],
];
