/**
 * Points 24 to 31: reconnects, who is connected, and clients that err or do not listen.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { status } from '@grpc/grpc-js';

import { NODE, stage, until } from '../surroundings.ts';
import { type ShortType, typeOf } from '../talk.ts';
import { Conversation, point, SPEC } from './conversation.ts';

const TYPES = ['CDS', 'LDS'] as const;
const FIRST = { CDS: 'a', LDS: 'l' } as const;
const SECOND = { CDS: 'b', LDS: 'm' } as const;

for (const type of TYPES) {
  const [first, second] = [FIRST[type], SECOND[type]];

  point(
    `24 who has all versions of ${type} already is met with silence`,
    { variants: ['delta'] },
    async (talk) => {
      talk.ask(type, { known: { [first]: '1', [second]: '1' } });
      await talk.silent(type);
    },
  );

  point(`24 who has one version of ${type} too old gets that one`, { variants: ['delta'] }, async (talk) => {
    await talk.begin(type, `${second}@1`, { known: { [first]: '1', [second]: '0' } });
    await talk.silent(type);
  });

  point(
    `26 who has our version of ${type} may be met with silence, and gets the next change`,
    { variants: ['state of the world'] },
    async (talk) => {
      const before = talk.another();
      await before.begin(type, `${first}@1 ${second}@1`);
      talk.ask(type, { version: before.last(type).version });
      await talk.serve({ ...SPEC, [type]: `${first}@1 ${second}@2` });
      await talk.hears(type, `${first}@1 ${second}@2`);
      talk.ack(type);
      await talk.silent(type);
    },
  );

  point(
    `26 who names resources of ${type} is answered, whatever version it has`,
    { variants: ['state of the world'] },
    async (talk) => {
      const before = talk.another();
      await before.begin(type, `${first}@1`, { names: [first] });
      await talk.begin(type, `${first}@1`, { names: [first], version: before.last(type).version });
      await talk.silent(type);
    },
  );
}

point(
  '25 a listener that is gone meanwhile is removed, by a server that never knew it',
  { variants: ['delta'] },
  async (talk) => {
    await talk.begin('LDS', '-gone', { known: { l: '1', m: '1', gone: '1' } });
    await talk.silent('LDS');
  },
);

point(
  '25 a cluster that is gone meanwhile is removed once it is drained',
  { variants: ['delta'] },
  async (talk, here) => {
    talk.ask('CDS', { known: { a: '1', b: '1', gone: '1' } });
    if (talk.transport === 'ADS') talk.ask('LDS', { known: { l: '1', m: '1' } });
    await until(
      () => here.clock.timers > 0,
      'it drains',
      () => here.clock.timers,
    );
    here.clock.pass(600_000);
    await talk.hears('CDS', '-gone');
    talk.ack('CDS');
    await talk.silent('CDS');
  },
);

point(
  '27 two streams of one node both get everything; its state is freed with the last',
  {},
  async (talk, here) => {
    const both = [talk, talk.another()];
    for (const each of both) await each.begin('LDS', 'l@1 m@1');
    await until(
      () => here.answers.length === 2,
      'acknowledged',
      () => here.answers.length,
    );
    await talk.serve({ ...SPEC, LDS: 'l@2 m@1' });
    for (const each of both) {
      await each.hears('LDS', { delta: 'l@2', world: 'l@2 m@1' });
      each.ack('LDS');
    }
    const [one, other] = both;
    one?.stream('LDS').cancel();
    await until(
      () => here.server.streams().length === 1,
      'one is left',
      () => here.server.streams(),
    );
    await talk.serve({ ...SPEC, LDS: 'l@3 m@1' });
    await other?.hears('LDS', { delta: 'l@3', world: 'l@3 m@1' });
    other?.ack('LDS');
    await other?.silent('LDS');
    other?.stream('LDS').end();
    assert.equal((await other?.stream('LDS').status())?.code, status.OK);
    await until(
      () => here.server.streams().length === 0,
      'none is left',
      () => here.server.streams(),
    );
    assert.equal(here.clock.timers, 0);
  },
);

point('28 the node of the first request counts for all that follow', {}, async (talk, here) => {
  await talk.begin('CDS', 'a@1 b@1');
  const later = talk.transport === 'ADS' ? 'LDS' : 'CDS';
  talk
    .stream(later)
    .send(
      later,
      talk.variant === 'delta' ? { resource_names_subscribe: ['a', 'l'] } : { node: { id: 'other' } },
    );
  if (later === 'LDS') {
    await talk.hears('LDS', { delta: 'l@1 -a', world: 'l@1 m@1' });
    talk.ack('LDS');
  } else {
    await talk.hears('CDS', { delta: 'a@1 -l', world: 'a@1 b@1' });
    talk.ack('CDS');
  }
  talk.ask(later, { node: { id: 'a third' }, nonce: talk.last(later).nonce });
  await talk.silent(later);
  assert.deepEqual([...new Set(here.source.nodes.map(({ id }) => id))], [NODE.node.id]);
});

point('28 a first request without a node id ends the stream', {}, async (talk) => {
  talk.ask('CDS', { node: { cluster: 'apps' } });
  const { code, details } = await talk.stream('CDS').status();
  assert.equal(code, status.INVALID_ARGUMENT);
  assert.match(details, /no node\.id/);
});

const malformed: [what: string, fields: object | Buffer, code: status][] = [
  ['bytes that are no request', Buffer.from([0x0a, 0xff]), status.INVALID_ARGUMENT],
  ['a message of more than 4 MiB', Buffer.alloc(4 * 1024 * 1024 + 1), status.RESOURCE_EXHAUSTED],
];
for (const [what, sent, code] of malformed) {
  point(`29 ${what} ends the stream, and no other`, {}, async (talk) => {
    const other = talk.another();
    await other.begin('LDS', 'l@1 m@1');
    talk.stream('LDS').sendBytes(sent as Buffer);
    assert.equal((await talk.stream('LDS').status()).code, code);
    await other.silent('LDS');
  });
}

point('29 no type_url ends an aggregated stream, and is implied on the others', {}, async (talk) => {
  const other = talk.another();
  await other.begin('CDS', 'a@1 b@1');
  talk.stream('LDS').sendFields(NODE);
  if (talk.transport === 'ADS') {
    assert.equal((await talk.stream('LDS').status()).code, status.INVALID_ARGUMENT);
  } else {
    await talk.hears('LDS', 'l@1 m@1');
    talk.ack('LDS');
    await talk.silent('LDS');
  }
  await other.silent('CDS');
});

point(
  '29 the type_url of another service ends the stream, and no other',
  { transports: ['per type'] },
  async (talk) => {
    const other = talk.another();
    await other.begin('LDS', 'l@1 m@1');
    talk.stream('LDS').send('CDS', NODE);
    const { code, details } = await talk.stream('LDS').status();
    assert.equal(code, status.INVALID_ARGUMENT);
    assert.match(details, /type_url is not that of the service/);
    await other.silent('LDS');
  },
);

point('29 a type that nobody serves is met with silence', { transports: ['ADS'] }, async (talk) => {
  talk
    .stream('CDS')
    .sendFields({ ...NODE, type_url: 'type.googleapis.com/envoy.service.runtime.v3.Runtime' });
  await talk.silent('CDS');
});

point(
  '30 who reads nothing costs a bounded number of responses, holds up nobody, and gets the newest state',
  {},
  async (talk, here) => {
    const other = talk.another();
    const big = 'x'.repeat(20_000);
    const listeners = (version: number): { LDS: string } => ({ LDS: `l@${version}-${big}` });
    await talk.serve({ ...SPEC, ...listeners(0) });
    for (const each of [talk, other]) {
      each.ask('LDS');
      await each
        .stream('LDS')
        .next()
        .then((message) => each.stream('LDS').ack(message));
    }
    talk.stream('LDS').pause();
    const rounds = 150;
    for (let version = 1; version <= rounds; version += 1) {
      await talk.serve({ ...SPEC, ...listeners(version) });
      const message = await other.stream('LDS').next();
      assert.match(message.resources.join(), new RegExp(`l@${version}-`));
      other.stream('LDS').ack(message);
      await until(
        () => here.answers.length >= version + 1,
        'acknowledged',
        () => here.answers.length,
      );
      here.clock.pass(1_500);
    }
    const sent = await here.metrics.getSingleMetric('redpilot_xds_responses_total')?.get();
    const toSlow = (sent?.values[0]?.value ?? Number.NaN) - rounds - 2;
    assert.ok(toSlow < 60, `${toSlow} of ${rounds} responses were written to a client that reads nothing`);
    talk.stream('LDS').resume();
    let received = 0;
    for (let last = ''; !last.includes(`l@${rounds}-`); received += 1)
      last = (await talk.stream('LDS').next()).resources.join();
    assert.ok(received <= toSlow + 1, `${received} responses, ${toSlow} were written before`);
  },
);

point(
  '31 nothing is sent before the sources are complete; then even an empty set is told',
  { spec: undefined },
  async (talk, here) => {
    talk.ask('CDS');
    await until(
      () => here.source.nodes.length > 0,
      'the request was taken',
      () => here.source.nodes,
    );
    assert.equal(talk.stream('CDS').waiting, 0);
    await talk.serve({});
    await talk.hears('CDS', '');
    talk.ack('CDS');
    await talk.silent('CDS');
  },
);

for (const variant of ['state of the world', 'delta'] as const) {
  test(`31 equal content has equal versions on two servers and after any history (${variant})`, async () => {
    const versionsAfter = async (specs: readonly (typeof SPEC)[]): Promise<string[]> => {
      await using here = await stage({ ...SPEC, EDS: 'a@1 probe@1' });
      for (const spec of specs) here.source.set({ ...spec, EDS: 'a@1 probe@1' });
      const talk = new Conversation(here, variant, 'ADS');
      const versions: string[] = [];
      for (const type of ['CDS', 'LDS'] as const satisfies readonly ShortType[]) {
        talk.ask(type);
        const message = await talk.stream(type).next();
        assert.equal(message.typeUrl, typeOf(type));
        versions.push(message.version, ...message.resources);
        talk.stream(type).ack(message);
      }
      await talk.silent('EDS');
      return versions;
    };
    const straight = await versionsAfter([SPEC]);
    const roundabout = await versionsAfter([
      { CDS: 'b@1 z@1', LDS: 'm@7' },
      { CDS: 'b@1', LDS: '' },
      { CDS: 'b@1 a@1', LDS: 'm@1 l@1' },
    ]);
    assert.deepEqual(roundabout, straight);
  });
}
