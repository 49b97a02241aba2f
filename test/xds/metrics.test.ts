import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ChangeLatency } from '../../src/xds/change-latency.ts';
import { NODE, SERVED, stage, until } from './surroundings.ts';

test('a change is measured from the source to its acknowledgement, and a first response is not', async () => {
  await using here = await stage(SERVED);
  const stream = here.client().stream('delta');
  stream.send('LDS', NODE);
  const first = await stream.next();
  here.clock.pass(300);
  stream.ack(first);
  await until(
    () => here.answers.length === 1,
    'acknowledged',
    () => here.answers,
  );
  here.source.set({ ...SERVED, LDS: 'l@2' });
  const second = await stream.next();
  here.clock.pass(700);
  stream.ack(second);
  await until(
    () => here.answers.length === 2,
    'acknowledged',
    () => here.answers,
  );
  // What is sent again because it was asked for again is no change.
  stream.send('LDS', { resource_names_subscribe: ['l'] });
  stream.ack(await stream.next());
  await until(
    () => here.answers.length === 3,
    'acknowledged',
    () => here.answers,
  );
  const metrics = await here.metrics.metrics();
  assert.match(metrics, /change_to_acknowledge_seconds_count\{type="listeners"\} 1\n/);
  assert.match(metrics, /change_to_acknowledge_seconds_sum\{type="listeners"\} 0\.7\n/);
  assert.match(metrics, /redpilot_xds_responses_total\{type="listeners"\} 3\n/);
  assert.match(metrics, /redpilot_xds_requests_total\{type="listeners",outcome="accepted"\} 3\n/);
  const bytes = /response_bytes_total\{type="listeners"\} (\d+)/.exec(metrics)?.[1];
  assert.ok(Number(bytes) > 100, `bytes: ${bytes}`);
});

test('of several changes that one response carries the first counts', () => {
  const latency = new ChangeLatency();
  latency.changed(100);
  latency.changed(200);
  latency.sent('1');
  latency.settled();
  latency.sent('2');
  assert.equal(latency.acknowledged('1', 350), 250);
  assert.equal(latency.acknowledged('1', 400), undefined);
  assert.equal(latency.acknowledged('2', 400), undefined);
});

test('what is never acknowledged is forgotten', () => {
  const latency = new ChangeLatency();
  for (let nonce = 1; nonce <= 17; nonce++) {
    latency.changed(nonce);
    latency.sent(String(nonce));
    latency.settled();
  }
  assert.equal(latency.acknowledged('1', 100), undefined);
  assert.equal(latency.acknowledged('2', 100), 98);
});
