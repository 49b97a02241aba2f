import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';

import { status } from '@grpc/grpc-js';

import { assertSilent, FAULTY, held, NODE, SERVED, stage, until } from './surroundings.ts';
import { typeOf } from './talk.ts';

for (const variant of ['state of the world', 'delta'] as const) {
  describe(`server, ${variant}`, () => {
    test('resources arrive as they are encoded, the first clusters in the form for a starting client', async () => {
      await using here = await stage(SERVED);
      const stream = here.client().stream(variant);
      stream.send('CDS', NODE);
      const clusters = await stream.next();
      assert.equal(clusters.typeUrl, typeOf('CDS'));
      assert.deepEqual(clusters.resources, [held(variant, 'a', 'CDS a@1!')]);
      stream.ack(clusters);
      stream.send('LDS');
      const listeners = await stream.next();
      assert.deepEqual(listeners.resources, [held(variant, 'l', 'LDS l@1')]);
      stream.ack(listeners);
      await assertSilent(stream, variant);
      here.source.set({ ...SERVED, CDS: 'a@2!' });
      assert.deepEqual((await stream.next()).resources, [held(variant, 'a', 'CDS a@2')]);
    });

    test('a removed listener is told', async () => {
      await using here = await stage({ LDS: 'l@1 m@1' });
      const stream = here.client().stream(variant);
      stream.send('LDS', NODE);
      stream.ack(await stream.next());
      await until(
        () => here.answers.length === 1,
        'acknowledged',
        () => here.answers,
      );
      here.source.set({ LDS: 'm@1' });
      const { resources, removed } = await stream.next();
      assert.deepEqual(resources, variant === 'delta' ? [] : ['LDS m@1']);
      assert.deepEqual(removed, variant === 'delta' ? ['l'] : []);
    });

    test('nothing is sent before there is a snapshot', async () => {
      await using here = await stage();
      const stream = here.client().stream(variant);
      stream.send('CDS', NODE);
      await until(
        () => here.source.nodes.length > 0,
        'the request was taken',
        () => here.source.nodes,
      );
      assert.equal(here.server.streams()[0]?.sentVersion, undefined);
      here.source.set({ CDS: 'a@7' });
      assert.deepEqual((await stream.next()).resources, [held(variant, 'a', 'CDS a@7')]);
    });

    test('answers are passed on and shown', async () => {
      await using here = await stage(SERVED);
      const stream = here.client().stream(variant);
      stream.send('LDS', NODE);
      const first = await stream.next();
      stream.ack(first);
      await until(
        () => here.answers.length === 1,
        'acknowledged',
        () => here.answers,
      );
      const { node, ...answer } = here.answers[0] ?? {};
      assert.equal(node?.id, 'sidecar-1');
      assert.deepEqual(answer, {
        typeUrl: typeOf('LDS'),
        outcome: 'accepted',
        resources: [{ name: 'l', version: '1' }],
        message: '',
      });
      assert.deepEqual(here.server.streams(), [
        {
          node: 'sidecar-1',
          variant,
          peer: here.server.streams()[0]?.peer,
          namespace: undefined,
          version: undefined,
          typeUrl: typeOf('LDS'),
          sentVersion: first.version,
          acknowledgedVersion: first.version,
          isAnswered: true,
          rejection: undefined,
        },
      ]);
    });

    test('a refusal is logged and counted without the contents of resources, and not repeated to the client', async () => {
      await using here = await stage(SERVED);
      const stream = here.client().stream(variant);
      stream.send('LDS', NODE);
      const message =
        'Error adding/updating listener(s) l: goo.gle/debugproto name: "l"\npassword { inline_string: "hunter2" }\n: ' +
        'Proto constraint validation failed (RedisProxyValidationError.StatPrefix: too short)\n';
      stream.ack(await stream.next(), { error_detail: { code: 13, message } });
      await assertSilent(stream, variant);
      const line = here.log.find(({ level }) => level === 'warn');
      assert.deepEqual(line, {
        level: 'warn',
        fields: {
          node: 'sidecar-1',
          type: 'listeners',
          names: ['l'],
          message:
            'Error adding/updating listener(s) l: (contents left out): ' +
            'Proto constraint validation failed (RedisProxyValidationError.StatPrefix: too short)',
        },
        message: 'node refused resources',
      });
      assert.equal(here.answers[0]?.outcome, 'rejected');
      const everything = [here.log, here.answers, here.server.streams(), await here.metrics.metrics()];
      assert.doesNotMatch(JSON.stringify(everything), /hunter2/);
      assert.match(await here.metrics.metrics(), /redpilot_xds_rejections_total\{type="listeners"\} 1/);
    });

    test('who it is counts from the first request only', async () => {
      await using here = await stage(SERVED);
      const stream = here.client().stream(variant);
      const metadata = {
        fields: {
          'redpilot.drain': { stringValue: '30s' },
          list: { listValue: { values: [{ numberValue: 1 }, { boolValue: true }, { nullValue: 0 }] } },
          deep: { structValue: { fields: { a: { stringValue: 'b' } } } },
        },
      };
      stream.send('CDS', { node: { id: 'first', cluster: 'apps', metadata } });
      await stream.next();
      stream.send('LDS', { node: { id: 'second' } });
      await stream.next();
      here.source.set({ ...SERVED, LDS: 'l@2' });
      here.clock.pass(1_500);
      await stream.next();
      assert.deepEqual([...new Set(here.source.nodes.map(({ id }) => id))], ['first']);
      const expected = { 'redpilot.drain': '30s', list: [1, true, null], deep: { a: 'b' } };
      assert.deepEqual(here.source.nodes[0]?.metadata, expected);
    });

    test('two streams of one node both get everything, and the end of one leaves the other', async () => {
      await using here = await stage({ LDS: 'l@1' });
      const client = here.client();
      const streams = [client.stream(variant), client.stream(variant)];
      for (const stream of streams) {
        stream.send('LDS', NODE);
        stream.ack(await stream.next());
      }
      await until(
        () => here.answers.length === 2,
        'acknowledged',
        () => here.answers,
      );
      here.source.set({ LDS: 'l@2' });
      for (const stream of streams) stream.ack(await stream.next());
      streams[0]?.cancel();
      await until(
        () => here.server.streams().length === 1,
        'one stream left',
        () => here.server.streams(),
      );
      here.source.set({ LDS: 'l@3' });
      assert.deepEqual((await streams[1]?.next())?.resources, [held(variant, 'l', 'LDS l@3')]);
      streams[1]?.end();
      assert.equal((await streams[1]?.status())?.code, status.OK);
      await until(
        () => here.server.streams().length === 0,
        'none left',
        () => here.server.streams(),
      );
      assert.equal(here.clock.timers, 0);
      assert.match(await here.metrics.metrics(), /redpilot_xds_streams 0/);
    });

    test('an unanswered response holds up the next for 1.5 s, and what changed meanwhile is merged', async () => {
      await using here = await stage({ LDS: 'l@1' });
      const stream = here.client().stream(variant);
      stream.send('LDS', NODE);
      await stream.next();
      for (const version of [2, 3, 4]) here.source.set({ LDS: `l@${version}` });
      await until(
        () => here.clock.timers === 1,
        'it waits',
        () => here.clock.timers,
      );
      here.clock.pass(1_500);
      assert.deepEqual((await stream.next()).resources, [held(variant, 'l', 'LDS l@4')]);
    });

    test('a node for which no snapshot can be made keeps what it has', async () => {
      await using here = await stage({ LDS: 'l@1' });
      const stream = here.client().stream(variant);
      stream.send('LDS', NODE);
      stream.ack(await stream.next());
      here.source.fail(new Error('out of order'));
      await until(
        () => here.log.some(({ level }) => level === 'error'),
        'logged',
        () => here.log,
      );
      here.source.set({ LDS: 'l@2' });
      assert.deepEqual((await stream.next()).resources, [held(variant, 'l', 'LDS l@2')]);
    });

    test('a fault of the server ends the stream that it concerns, and is logged', async () => {
      await using here = await stage(SERVED);
      const client = here.client();
      const other = client.stream(variant);
      other.send('CDS', NODE);
      await other.next();
      const stream = client.stream(variant);
      stream.send('CDS', { node: { id: FAULTY } });
      stream.ack(await stream.next());
      assert.equal((await stream.status()).code, status.INTERNAL);
      assert.equal(here.log.find(({ level }) => level === 'error')?.fields['node'], FAULTY);
      await assertSilent(other, variant);
    });

    test('closing ends the streams and frees the port', async () => {
      await using here = await stage(SERVED);
      const stream = here.client().stream(variant);
      stream.send('CDS', NODE);
      await stream.next();
      await here.server.close();
      const { code, details } = await stream.status();
      assert.deepEqual([code, details], [status.UNAVAILABLE, 'the control plane is closing']);
      assert.equal(here.source.watchers, 0);
      const [host = '', port = ''] = here.server.address.split(':');
      const again = createServer().listen(Number(port), host);
      await new Promise((resolve) => {
        again.once('listening', resolve);
      });
      again.close();
    });
  });
}

test('server: a connection and its end are a line each, with the node', async () => {
  await using here = await stage(SERVED);
  const stream = here.client().stream('delta');
  const version = { major_number: 1, minor_number: 40, patch: 0 };
  stream.send('CDS', { node: { ...NODE.node, user_agent_build_version: { version } } });
  await stream.next();
  stream.cancel();
  await until(
    () => here.log.length === 2,
    'two lines',
    () => here.log,
  );
  assert.deepEqual(
    here.log.map(({ level, fields, message }) => [level, fields['node'], message]),
    [
      ['info', 'sidecar-1', 'node connected'],
      ['info', 'sidecar-1', 'node disconnected'],
    ],
  );
  assert.equal(here.log[0]?.fields['version'], '1.40.0');
});

for (const [minor, warnings] of [
  [39, 1],
  [40, 0],
] as const) {
  test(`server: an Envoy 1.${minor} is ${warnings > 0 ? 'warned of' : 'none that may crash at changes'}`, async () => {
    await using here = await stage(SERVED);
    const stream = here.client().stream('delta');
    const version = { major_number: 1, minor_number: minor, patch: 3 };
    stream.send('CDS', { node: { ...NODE.node, user_agent_build_version: { version } } });
    await stream.next();
    const found = here.log.filter(({ level, message }) => level === 'warn' && message.includes('may crash'));
    assert.equal(found.length, warnings);
  });
}
