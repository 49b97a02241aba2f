/**
 * Clients that say what they should not, or do not listen.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { status } from '@grpc/grpc-js';

import type { Resource } from '../../src/envoy/resource.ts';
import { ResourceSet, type Snapshot } from '../../src/envoy/resource-set.ts';
import type { TestStream } from './client.ts';
import { assertSilent, NODE, SERVED, stage, until } from './surroundings.ts';
import { snapshotOf, typeOf } from './talk.ts';

for (const variant of ['state of the world', 'delta'] as const) {
  describe(`server, ${variant}`, () => {
    const malformed: [what: string, send: (stream: TestStream) => void, details: RegExp][] = [
      [
        'bytes that are no request',
        (stream) => stream.sendBytes(Buffer.from([0x0a, 0xff])),
        /are not a request of/,
      ],
      ['no type_url', (stream) => stream.sendFields(NODE), /type_url is missing/],
      ['no node', (stream) => stream.send('CDS'), /no node\.id/],
      ['a node without id', (stream) => stream.send('CDS', { node: { cluster: 'apps' } }), /no node\.id/],
    ];
    for (const [what, send, details] of malformed) {
      test(`${what}: the stream ends with INVALID_ARGUMENT, another one goes on`, async () => {
        await using here = await stage(SERVED);
        const client = here.client();
        const other = client.stream(variant);
        other.send('CDS', NODE);
        await other.next();
        const stream = client.stream(variant);
        send(stream);
        const ended = await stream.status();
        assert.equal(ended.code, status.INVALID_ARGUMENT);
        assert.match(ended.details, details);
        await assertSilent(other, variant);
      });
    }

    test('a type that is not served is met with silence', async () => {
      await using here = await stage(SERVED);
      const stream = here.client().stream(variant);
      stream.sendFields({ ...NODE, type_url: 'type.googleapis.com/envoy.service.runtime.v3.Runtime' });
      await assertSilent(stream, variant);
    });

    test('what follows a malformed request is not looked at', async () => {
      await using here = await stage(SERVED);
      const stream = here.client().stream(variant);
      stream.sendFields(NODE);
      stream.send('CDS', NODE);
      assert.equal((await stream.status()).code, status.INVALID_ARGUMENT);
      assert.deepEqual(
        here.log.map(({ message }) => message),
        ['request refused'],
      );
      assert.deepEqual(here.server.streams(), []);
    });

    test('a message over 4 MiB ends its stream with RESOURCE_EXHAUSTED', async () => {
      await using here = await stage(SERVED);
      const stream = here.client().stream(variant);
      stream.sendBytes(Buffer.alloc(4 * 1024 * 1024 + 1));
      assert.equal((await stream.status()).code, status.RESOURCE_EXHAUSTED);
      await until(
        () => here.server.streams().length === 0,
        'freed',
        () => here.server.streams(),
      );
    });

    test('a stream that ends while a change waits leaves no timer', async () => {
      await using here = await stage({ LDS: 'l@1' });
      const stream = here.client().stream(variant);
      stream.send('LDS', NODE);
      await stream.next();
      here.source.set({ LDS: 'l@2' });
      await until(
        () => here.clock.timers === 1,
        'it waits',
        () => here.clock.timers,
      );
      stream.cancel();
      await until(
        () => here.server.streams().length === 0,
        'none left',
        () => here.server.streams(),
      );
      assert.equal(here.clock.timers, 0);
    });

    test('a client that does not read costs no memory, and gets the newest state when it does', async () => {
      await using here = await stage({ LDS: 'l@0' });
      const stream = here.client().stream(variant);
      stream.send('LDS', NODE);
      await stream.next();
      stream.pause();
      for (let version = 1; version <= 200; version += 1) {
        here.source.setSnapshot(bigListener(version));
        const calls = here.source.nodes.length;
        await until(
          () => here.source.nodes.length > calls,
          'pushed',
          () => calls,
        );
        here.clock.pass(1_500);
      }
      const sent = await here.metrics.getSingleMetric('redpilot_xds_responses_total')?.get();
      const count = sent?.values[0]?.value ?? Number.NaN;
      assert.ok(count < 60, `${count} of 200 responses were written to a client that reads nothing`);
      stream.resume();
      let received = 0;
      for (let last = ''; !last.includes('l@200 '); received += 1)
        last = (await stream.next()).resources.join();
      assert.ok(received <= count + 1, `${received} responses, ${count} were written before`);
    });
  });
}

test('server: a method that does not exist is UNIMPLEMENTED', async () => {
  await using here = await stage(SERVED);
  const stream = here.client().otherMethod('delta', 'discovery.v3.AggregatedDiscoveryService/Other');
  assert.equal((await stream.status()).code, status.UNIMPLEMENTED);
});

/** Bigger than what a client's windows take of it in a few messages. */
function bigListener(version: number): Snapshot {
  const typeUrl = typeOf('LDS');
  const bytes = Buffer.from(`LDS l@${version} ${'x'.repeat(20_000)}`);
  const listener: Resource = { typeUrl, name: 'l', version: `${version}`, bytes };
  return new Map(
    [...snapshotOf({})].map(([type, resources]) => [
      type,
      type === typeUrl ? ResourceSet.of([listener]) : resources,
    ]),
  );
}
