/**
 * Points 3 to 9: what a client says of a response, and when it says it too late.
 */
import assert from 'node:assert/strict';

import { until } from '../surroundings.ts';
import { point, SPEC } from './conversation.ts';

const BOTH_TYPES = { CDS: 'a@1 b@1', LDS: 'l@1 m@1' } as const;

for (const type of ['CDS', 'LDS'] as const) {
  point(
    `3 an acknowledgement of ${type}, and its repetition, is met with silence`,
    {},
    async (talk, here) => {
      await talk.begin(type, BOTH_TYPES[type]);
      talk.ack(type);
      await talk.silent(type);
      await outcomesAre(here.answers, ['accepted']);
    },
  );
}

point(
  '4 a refusal is recorded with its message and met with silence, also after a second one and other changes',
  {},
  async (talk, here) => {
    await talk.begin('CDS', 'a@1 b@1');
    talk.ask('LDS');
    await talk.hears('LDS', 'l@1 m@1');
    talk.nack('LDS', 'Error adding/updating listener(s) l: no room\n');
    talk.nack('LDS', 'Error adding/updating listener(s) l: no room\n');
    await talk.serve({ ...SPEC, CDS: 'a@1 b@2' });
    await talk.hears('CDS', { delta: 'b@2', world: 'a@1 b@2' });
    talk.ack('CDS');
    here.clock.pass(4_999);
    const state = here.server.streams().find(({ typeUrl }) => typeUrl === talk.last('LDS').typeUrl);
    assert.equal(state?.rejection, 'Error adding/updating listener(s) l: no room');
    await talk.silent('LDS');
  },
);

point(
  '5 other content is sent at once after a refusal, and its acknowledgement ends the refusal',
  {},
  async (talk, here) => {
    const rejection = (): string | undefined =>
      here.server.streams().find(({ typeUrl }) => typeUrl === talk.last('LDS').typeUrl)?.rejection;
    await talk.begin('LDS', 'l@1 m@1');
    await talk.serve({ ...SPEC, LDS: 'l@2 m@1' });
    await talk.hears('LDS', { delta: 'l@2', world: 'l@2 m@1' });
    talk.nack('LDS', 'l: no');
    await until(
      () => rejection() === 'l: no',
      'refused',
      () => rejection(),
    );
    await talk.serve({ ...SPEC, LDS: 'l@3 m@1' });
    await talk.hears('LDS', { delta: 'l@3', world: 'l@3 m@1' });
    talk.ack('LDS');
    await until(
      () => rejection() === undefined,
      'accepted',
      () => rejection(),
    );
    await talk.silent('LDS');
  },
);

point('5 the content before the refused one is sent again', {}, async (talk) => {
  await talk.begin('LDS', 'l@1 m@1');
  await talk.serve({ ...SPEC, LDS: 'l@2 m@1' });
  await talk.hears('LDS', { delta: 'l@2', world: 'l@2 m@1' });
  talk.nack('LDS', 'l: no');
  await talk.serve({ ...SPEC, LDS: 'l@1 m@1' });
  // Taken back while the refused one is in flight or later: it is sent in either case.
  await talk.hears('LDS', { delta: 'l@1', world: 'l@1 m@1' });
  talk.ack('LDS');
  await talk.silent('LDS');
});

point(
  '6 the error alone tells a refusal from an acknowledgement, whatever version the request names',
  { variants: ['state of the world'] },
  async (talk, here) => {
    talk.ask('LDS');
    const { version } = await talk.hears('LDS', 'l@1 m@1');
    talk.nack('LDS', 'no', { version });
    await outcomesAre(here.answers, ['rejected']);
    await talk.serve({ ...SPEC, LDS: 'l@2 m@1' });
    await talk.hears('LDS', 'l@2 m@1');
    talk.ack('LDS', { version: 'older' });
    await outcomesAre(here.answers, ['rejected', 'accepted']);
    await talk.silent('LDS');
  },
);

point(
  '7 a stale nonce is no answer, and its names take effect with the next acknowledgement',
  { variants: ['state of the world'] },
  async (talk, here) => {
    talk.ask('EDS', { names: ['a'] });
    const { nonce: stale } = await talk.hears('EDS', 'a@1');
    talk.ack('EDS');
    await outcomesAre(here.answers, ['accepted']);
    await talk.serve({ ...SPEC, EDS: 'a@2 b@1' });
    await talk.hears('EDS', 'a@2');
    talk.ask('EDS', { names: ['a', 'b'], nonce: stale });
    await talk.taken();
    await outcomesAre(here.answers, ['accepted']);
    assert.equal(talk.stream('EDS').waiting, 0);
    talk.ack('EDS', { names: ['a', 'b'] });
    await talk.hears('EDS', 'b@1');
    talk.ack('EDS');
    await talk.silent('EDS');
  },
);

point(
  '8 names in a request with a stale or unknown nonce count, its answer does not',
  { variants: ['delta'] },
  async (talk, here) => {
    talk.ask('EDS', { subscribe: ['a'] });
    const { nonce: stale } = await talk.hears('EDS', 'a@1');
    talk.ack('EDS');
    await outcomesAre(here.answers, ['accepted']);
    for (const nonce of [stale, '999']) {
      talk.ask('EDS', { subscribe: ['b'], nonce });
      await talk.hears('EDS', 'b@1');
      talk.ask('EDS', { nonce, error: 'of another time' });
      talk.ack('EDS');
    }
    await outcomesAre(here.answers, ['accepted', 'accepted', 'accepted']);
    talk.ask('EDS', { unsubscribe: ['b'], nonce: '999' });
    await talk.serve({ ...SPEC, EDS: 'a@1 b@2' });
    await talk.silent('EDS');
  },
);

for (const [type, heard] of Object.entries(BOTH_TYPES) as ['CDS' | 'LDS', string][]) {
  point(`9 a first request for ${type} with the nonce of another stream is answered`, {}, async (talk) => {
    talk.ask(type, { nonce: '77', version: 'of another' });
    await talk.hears(type, heard);
    talk.ack(type);
    await talk.silent(type);
  });
}

async function outcomesAre(
  answers: readonly { readonly outcome: string }[],
  expected: readonly string[],
): Promise<void> {
  const outcomes = (): string => answers.map(({ outcome }) => outcome).join();
  await until(() => outcomes() === expected.join(), `answers are ${expected.join()}`, outcomes);
}
