/**
 * Points 18 to 23: what a change brings, in which order, and what it waits for.
 */
import assert from 'node:assert/strict';

import { until } from '../surroundings.ts';
import { type Conversation, point, SPEC } from './conversation.ts';

const TYPES = ['CDS', 'LDS'] as const;

/** As Envoy begins: clusters, their endpoints, listeners. */
async function beginAll(talk: Conversation): Promise<void> {
  await talk.begin('CDS', 'a@1 b@1');
  await talk.begin('EDS', 'a@1 b@1', { names: ['a', 'b'], subscribe: ['a', 'b'] });
  await talk.begin('LDS', 'l@1 m@1');
}

for (const type of TYPES) {
  const [first, second] = type === 'CDS' ? ['a', 'b'] : ['l', 'm'];
  point(`18 one change of ${type} brings that one; in the state of the world all`, {}, async (talk) => {
    await talk.begin(type, `${first}@1 ${second}@1`);
    await talk.serve({ ...SPEC, [type]: `${first}@1 ${second}@2` });
    await talk.hears(type, { delta: `${second}@2`, world: `${first}@1 ${second}@2` });
    talk.ack(type);
    await talk.silent(type);
  });

  point(`19 a deletion of ${type} is told, the last one too`, {}, async (talk, here) => {
    // Clusters stay for as long as old connections may use them.
    const drain = async (): Promise<void> => {
      if (type === 'LDS') return;
      await until(
        () => here.clock.timers > 0,
        'it drains',
        () => here.clock.timers,
      );
      here.clock.pass(600_000);
    };
    if (type === 'CDS' && talk.transport === 'ADS') await talk.begin('LDS', 'l@1 m@1');
    await talk.begin(type, `${first}@1 ${second}@1`);
    await talk.serve({ ...SPEC, [type]: `${first}@1` });
    await drain();
    await talk.hears(type, { delta: `-${second}`, world: `${first}@1` });
    talk.ack(type);
    await talk.serve({ ...SPEC, [type]: '' });
    await drain();
    await talk.hears(type, { delta: `-${first}`, world: '' });
    talk.ack(type);
    await talk.silent(type);
  });
}

point('18 a change of endpoints brings these only', {}, async (talk) => {
  await talk.begin('EDS', 'a@1 b@1', { names: ['a', 'b'], subscribe: ['a', 'b'] });
  await talk.serve({ ...SPEC, EDS: 'a@1 b@2' });
  await talk.hears('EDS', 'b@2');
  talk.ack('EDS');
  await talk.silent('EDS');
});

point('18 an event that changes no bytes is met with silence', {}, async (talk) => {
  await talk.begin('LDS', 'l@1 m@1');
  await talk.serve({ ...SPEC });
  await talk.serve({ LDS: 'm@1 l@1', CDS: SPEC.CDS ?? '', EDS: SPEC.EDS ?? '' });
  await talk.silent('LDS');
});

point('19 deleted endpoints are removed in delta, else not spoken of', {}, async (talk) => {
  await talk.begin('EDS', 'a@1 b@1', { names: ['a', 'b'], subscribe: ['a', 'b'] });
  await talk.serve({ ...SPEC, EDS: 'a@1' });
  if (talk.variant === 'delta') {
    await talk.hears('EDS', '-b');
    talk.ack('EDS');
  }
  await talk.silent('EDS');
});

point(
  '20 endpoints of a changed or new cluster follow it unchanged, before any acknowledgement',
  { transports: ['ADS'] },
  async (talk) => {
    await beginAll(talk);
    await talk.serve({ ...SPEC, CDS: 'a@2 b@1' });
    await talk.hears('CDS', { delta: 'a@2', world: 'a@2 b@1' });
    await talk.hears('EDS', 'a@1');
    talk.ack('EDS');
    talk.ack('CDS');
    await talk.silent('EDS');
  },
);

point(
  '21 a change of all types leaves as clusters, endpoints, listeners',
  { transports: ['ADS'] },
  async (talk) => {
    await beginAll(talk);
    await talk.serve({ CDS: 'a@2 b@1 c@1', EDS: 'a@2 b@1', LDS: 'l@2 m@1' });
    await talk.hears('CDS', { delta: 'a@2 c@1', world: 'a@2 b@1 c@1' });
    await talk.hears('EDS', 'a@2');
    await talk.hears('LDS', { delta: 'l@2', world: 'l@2 m@1' });
    talk.ack('EDS');
    talk.ack('LDS');
    talk.ack('CDS');
    await talk.silent('LDS');
  },
);

point(
  '21 of a removed service the listener goes first, the cluster after its acknowledgement and the drain time',
  { transports: ['ADS'] },
  async (talk, here) => {
    await beginAll(talk);
    await talk.serve({ CDS: 'b@1', EDS: 'b@1', LDS: 'm@1' });
    await talk.hears('LDS', { delta: '-l', world: 'm@1' });
    here.clock.pass(600_000);
    assert.equal(talk.stream('CDS').waiting, 0);
    talk.ack('LDS');
    await until(
      () => here.clock.timers > 0,
      'it drains',
      () => here.clock.timers,
    );
    here.clock.pass(599_999);
    assert.equal(talk.stream('CDS').waiting, 0);
    here.clock.pass(1);
    await talk.hears('CDS', { delta: '-a', world: 'b@1' });
    if (talk.variant === 'delta') await talk.hears('EDS', '-a');
    talk.ack('CDS');
    if (talk.variant === 'delta') talk.ack('EDS');
    await talk.silent('CDS');
  },
);

point(
  '22 clusters that are never acknowledged hold up nothing beyond the limit; late answers are digested',
  { transports: ['ADS'] },
  async (talk, here) => {
    talk.ask('CDS');
    const nonces = [(await talk.hears('CDS', 'a@1 b@1')).nonce];
    await talk.begin('EDS', 'a@1 b@1', { names: ['a', 'b'], subscribe: ['a', 'b'] });
    await talk.begin('LDS', 'l@1 m@1');
    await talk.serve({ ...SPEC, EDS: 'a@2 b@1', LDS: 'l@2 m@1' });
    await talk.hears('EDS', 'a@2');
    await talk.hears('LDS', { delta: 'l@2', world: 'l@2 m@1' });
    talk.ack('EDS');
    talk.ack('LDS');
    await talk.serve({ CDS: 'a@1 b@2', EDS: 'a@2 b@1', LDS: 'l@2 m@1' });
    await until(
      () => here.clock.timers > 0,
      'it waits',
      () => here.clock.timers,
    );
    here.clock.pass(1_500);
    nonces.push((await talk.hears('CDS', { delta: 'b@2', world: 'a@1 b@2' })).nonce);
    await talk.hears('EDS', 'b@1');
    talk.ack('EDS');
    for (const nonce of nonces) talk.ask('CDS', { nonce });
    const ofClusters = (): string =>
      here.answers
        .filter(({ typeUrl }) => typeUrl === talk.last('CDS').typeUrl)
        .map(({ resources }) => resources.map(({ name, version }) => `${name}@${version}`).join(' '))
        .join();
    // In the state of the world only the newest is an answer; Envoy sends no other.
    const expected = talk.variant === 'delta' ? 'a@1 b@1,b@2' : 'a@1 b@2';
    await until(() => ofClusters() === expected, 'the last state counts', ofClusters);
    await talk.silent('CDS');
  },
);

point(
  '23 of many changes while a response is unanswered only the newest state follows',
  {},
  async (talk, here) => {
    talk.ask('LDS');
    await talk.hears('LDS', 'l@1 m@1');
    for (const version of [2, 3, 4, 5]) {
      const calls = here.source.nodes.length;
      await talk.serve({ ...SPEC, LDS: `l@${version} m@1` });
      await until(
        () => here.source.nodes.length > calls,
        'the change was seen',
        () => here.source.nodes.length,
      );
    }
    talk.ack('LDS');
    await talk.hears('LDS', { delta: 'l@5', world: 'l@5 m@1' });
    talk.ack('LDS');
    await talk.silent('LDS');
  },
);
