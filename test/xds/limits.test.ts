import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2, type Settings } from 'node:http2';
import { connect } from 'node:net';
import { test } from 'node:test';

import { status } from '@grpc/grpc-js';

import type { Variant } from '../../src/xds/requests.ts';
import { type Limits, RequestAllowance } from '../../src/xds/limits.ts';
import type { TestStream } from './client.ts';
import { typeOf } from './talk.ts';
import { assertSilent, NODE, SERVED, stage, until } from './surroundings.ts';

function names(count: number, variant: Variant, from = 0): object {
  const list = Array.from({ length: count }, (_, index) => `name-${from + index}`);
  return variant === 'delta' ? { resource_names_subscribe: list } : { resource_names: list };
}

const long = (length: number, variant: Variant): object => {
  const list = ['n'.repeat(length)];
  return variant === 'delta' ? { resource_names_subscribe: list } : { resource_names: list };
};

const excesses: [
  what: string,
  limits: Partial<Limits>,
  fine: (stream: TestStream, variant: Variant) => void,
  excess: (stream: TestStream, variant: Variant) => void,
  expected: RegExp,
][] = [
  [
    'names of one type',
    { names: 10 },
    (stream, variant) => stream.send('EDS', names(10, variant)),
    (stream, variant) => stream.send('EDS', names(11, variant, 1)),
    /^more than 10 names of one type$/,
  ],
  [
    'characters of a name',
    { nameLength: 10 },
    (stream, variant) => stream.send('EDS', long(10, variant)),
    (stream, variant) => stream.send('EDS', long(11, variant)),
    /^a name of 11 characters; 10 are allowed$/,
  ],
  [
    'bytes of a request',
    { messageBytes: 1_000 },
    (stream, variant) => stream.send('EDS', long(800, variant)),
    (stream, variant) => stream.send('EDS', long(1_000, variant)),
    /^a request of 1\d\d\d bytes; 1000 are allowed$/,
  ],
  [
    'bytes of a request, which is not even received',
    { messageBytes: 1_000 },
    () => {},
    (stream, variant) => stream.send('EDS', long(5_000, variant)),
    /^Received message larger than max/,
  ],
  [
    'requests',
    { requestBurst: 10, requestsPerSecond: 1 },
    () => {},
    (stream) => {
      for (let count = 0; count < 15; count++) stream.send('LDS', NODE);
    },
    /^more than 1 requests a second$/,
  ],
];
for (const variant of ['state of the world', 'delta'] as const) {
  for (const [what, limits, fine, excess, expected] of excesses) {
    test(`${variant}: too many ${what} end the stream with RESOURCE_EXHAUSTED, and no other`, async () => {
      await using here = await stage(SERVED, { limits });
      const client = here.client();
      const [stream, other] = [client.stream(variant), client.stream(variant)];
      for (const each of [stream, other]) {
        each.send('EDS', NODE);
        fine(each, variant);
      }
      excess(stream, variant);
      const { code, details } = await stream.status();
      assert.equal(code, status.RESOURCE_EXHAUSTED);
      assert.match(details, expected);
      other.send('LDS');
      while ((await other.next()).typeUrl !== typeOf('LDS'));
    });
  }
}

test('names of a delta client count over all of its requests', async () => {
  await using here = await stage(SERVED, { limits: { names: 10 } });
  const stream = here.client().stream('delta');
  stream.send('EDS', { ...NODE, ...names(6, 'delta') });
  stream.send('EDS', { ...names(6, 'delta', 6) });
  assert.equal((await stream.status()).code, status.RESOURCE_EXHAUSTED);
  const line = here.log.find(({ level }) => level === 'warn');
  assert.equal(line?.fields['problem'], 'more than 10 names of one type');
  assert.match(await here.metrics.metrics(), /requests_total\{type="none",outcome="too much"\} 1/);
});

test('a stream too many is refused, until another ends', async () => {
  await using here = await stage(SERVED, { limits: { streams: 1 } });
  const client = here.client();
  const first = client.stream('delta');
  first.send('LDS', NODE);
  await first.next();
  const second = client.stream('delta');
  second.send('LDS', NODE);
  const { code, details } = await second.status();
  assert.equal(code, status.RESOURCE_EXHAUSTED);
  assert.equal(details, 'there are 1 streams already');
  await assertSilent(first, 'delta');
  first.cancel();
  await until(
    () => here.server.streams().length === 0,
    'the first is over',
    () => here.server.streams(),
  );
  const third = client.stream('delta');
  third.send('LDS', NODE);
  await third.next();
});

test('a stream too many of one connection is refused, and another connection has its own', async () => {
  await using here = await stage(SERVED, { limits: { streamsPerConnection: 1 } });
  const client = here.client();
  const streams = [client.stream('delta'), client.stream('delta'), here.client().stream('delta')];
  for (const stream of streams) stream.send('LDS', NODE);
  const [first, second, other] = streams;
  const { code, details } = (await second?.status()) ?? {};
  assert.equal(code, status.RESOURCE_EXHAUSTED);
  assert.equal(details, 'there are 1 streams on this connection already');
  await first?.next();
  await other?.next();
});

test('a connection too many is refused, with a line in the log', async () => {
  await using here = await stage(SERVED, { limits: { connections: 1 } });
  const stream = here.client().stream('delta');
  stream.send('LDS', NODE);
  await stream.next();
  const socket = connect(Number(here.server.address.split(':')[1]), '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'close');
  const line = here.log.find(({ level }) => level === 'warn');
  assert.equal(line?.fields['reason'], 'there are 1 connections already');
  await assertSilent(stream, 'delta');
});

test('requests are allowed again with time, but never more than the burst at once', () => {
  const allowance = new RequestAllowance({ burst: 2, perSecond: 10 }, 0);
  const taken = [0, 0, 0, 50, 100, 200, 10_000, 10_000, 10_000].map((nowMs) => allowance.take(nowMs));
  assert.deepEqual(taken, [true, true, false, false, true, true, true, true, false]);
});

test('streams of a connection that are none of xDS have an end, too', async () => {
  await using here = await stage(SERVED, { limits: { streamsPerConnection: 5 } });
  const session = connectHttp2(`http://${here.server.address}`);
  const [settings] = (await once(session, 'remoteSettings')) as [Settings];
  session.destroy();
  assert.equal(settings.maxConcurrentStreams, 10);
});
