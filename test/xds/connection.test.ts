import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';

import { status } from '@grpc/grpc-js';

import { assertSilent, NODE, SERVED, stage, until } from './surroundings.ts';

test('a connection that has reached its age ends its streams, and the client goes on with a new one', async () => {
  await using here = await stage(SERVED, { maxConnectionAgeMs: 100_000 });
  const client = here.client();
  const stream = client.stream('delta');
  stream.send('LDS', NODE);
  await stream.next();
  here.clock.pass(89_000);
  await assertSilent(stream, 'delta');
  here.clock.pass(22_000);
  const { code, details } = await stream.status();
  assert.equal(code, status.UNAVAILABLE);
  assert.equal(details, 'the connection has reached its age');
  const next = client.stream('delta');
  next.send('LDS', NODE);
  await next.next();
  // The old one is gone, though the client has not closed it.
  await until(
    () => here.log.filter(({ message }) => message === 'connection ended').length === 1,
    'one connection ended',
    () => here.log,
  );
  assert.match(await here.metrics.metrics(), /redpilot_xds_connections 1\n/);
});

for (const variant of ['state of the world', 'delta'] as const) {
  test(`${variant}: a client that had everything is sent a message before its connection ends, which changes nothing`, async () => {
    await using here = await stage(SERVED, { maxConnectionAgeMs: 100_000 });
    const client = here.client();
    const first = client.stream(variant);
    first.send('LDS', NODE);
    const { version } = await first.next();
    const known = variant === 'delta' ? { initial_resource_versions: { l: '1' } } : { version_info: version };
    const stream = client.stream(variant);
    stream.send('LDS', { ...NODE, ...known });
    await until(
      () => here.server.streams().length === 2,
      'both are known',
      () => here.server.streams(),
    );
    here.clock.pass(111_000);
    const last = await stream.next();
    assert.deepEqual(last.resources, variant === 'delta' ? [] : ['LDS l@1']);
    assert.deepEqual(last.removed, []);
    assert.equal(last.version, version);
    assert.equal((await stream.status()).code, status.UNAVAILABLE);
    // Who was sent something before is sent nothing more.
    await first.status();
    assert.deepEqual([first.received, stream.received], [1, 1]);
  });
}

test('the ages of connections differ by up to a tenth', async () => {
  await using here = await stage(SERVED, { maxConnectionAgeMs: 100_000 });
  const clients = Array.from({ length: 20 }, () => here.client());
  const streams = clients.map((client) => client.stream('delta'));
  for (const stream of streams) {
    stream.send('LDS', NODE);
    await stream.next();
  }
  const ended = (): number => here.log.filter(({ message }) => message === 'connection ended').length;
  const counts: number[] = [];
  here.clock.pass(89_999);
  for (let step = 0; step < 10; step++) {
    counts.push(ended());
    here.clock.pass(2_001);
  }
  assert.equal(counts[0], 0, 'none before nine tenths of the age');
  assert.equal(ended(), 20, 'all after eleven tenths');
  assert.ok(new Set(counts).size > 3, `spread: ${counts.join(' ')}`);
});

test('at its end the server ends streams with UNAVAILABLE, and cuts off who does not go', async () => {
  await using here = await stage(SERVED);
  const stream = here.client().stream('state of the world');
  stream.send('LDS', NODE);
  await stream.next();
  const mute = connect(Number(here.server.address.split(':')[1]), '127.0.0.1');
  mute.on('error', () => {});
  await once(mute, 'data');
  const closed = here.server.close();
  const { code, details } = await stream.status();
  assert.equal(code, status.UNAVAILABLE);
  assert.equal(details, 'the control plane is closing');
  here.clock.pass(2_000);
  await closed;
  await assert.rejects(once(connect(Number(here.server.address.split(':')[1]), '127.0.0.1'), 'connect'), {
    code: 'ECONNREFUSED',
  });
});
