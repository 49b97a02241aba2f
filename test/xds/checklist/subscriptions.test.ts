/**
 * Points 1, 2 and 10 to 17: who subscribes to what, and what it is answered.
 */
import assert from 'node:assert/strict';

import { point, SPEC } from './conversation.ts';

const ALL = { CDS: 'a@1 b@1', LDS: 'l@1 m@1' } as const;
const TYPES = ['CDS', 'LDS'] as const;

for (const type of TYPES) {
  point(`1 a first request for ${type} that names nothing brings all, once`, {}, async (talk) => {
    await talk.begin(type, ALL[type]);
    await talk.silent(type);
  });

  point(`2 a first request for ${type} that names "*" brings all, once`, {}, async (talk) => {
    await talk.begin(type, ALL[type], { names: ['*'], subscribe: ['*'] });
    await talk.silent(type);
  });
}

point('2 a first request for endpoints that names nothing brings nothing', {}, async (talk) => {
  talk.ask('EDS');
  await talk.silent('EDS');
});

point(
  '10 of "*" and a name the name is given up: in delta it is answered, and all stays subscribed',
  {},
  async (talk) => {
    const names = ['*', 'a', 'x'];
    await talk.begin('CDS', { delta: 'a@1 b@1 -x', world: 'a@1 b@1' }, { names, subscribe: names });
    for (const [left, heard] of [
      [['*', 'x'], 'a@1'],
      [['*'], '-x'],
    ] as const) {
      talk.names('CDS', left);
      if (talk.variant !== 'delta') continue;
      await talk.hears('CDS', heard);
      talk.ack('CDS');
    }
    await talk.serve({ ...SPEC, CDS: 'a@1 b@2' });
    await talk.hears('CDS', { delta: 'b@2', world: 'a@1 b@2' });
    talk.ack('CDS');
    await talk.silent('CDS');
  },
);

for (const type of TYPES) {
  const name = type === 'CDS' ? 'a' : 'l';
  point(`11 after explicit names of ${type} an empty list means nothing`, {}, async (talk) => {
    await talk.begin(type, `${name}@1`, { names: [name], subscribe: [name] });
    talk.names(type, []);
    await talk.serve({ ...SPEC, [type]: 'a@2 l@2 m@2' });
    await talk.silent(type);
  });
}

point(
  '12 a name beside the old wildcard leaves the wildcard; "-*" leaves only the name',
  { variants: ['delta'] },
  async (talk) => {
    await talk.begin('CDS', 'a@1 b@1');
    talk.ask('CDS', { subscribe: ['a'] });
    await talk.hears('CDS', 'a@1');
    talk.ack('CDS');
    await talk.serve({ ...SPEC, CDS: 'a@1 b@2' });
    await talk.hears('CDS', 'b@2');
    talk.ack('CDS', { unsubscribe: ['*'] });
    await talk.silent('CDS');
    await talk.serve({ ...SPEC, CDS: 'a@1 b@3' });
    await talk.silent('CDS');
    await talk.serve({ ...SPEC, CDS: 'a@2 b@3' });
    await talk.hears('CDS', 'a@2');
    talk.ack('CDS');
    await talk.silent('CDS');
  },
);

point('13 a new name is answered, and those before are not repeated', {}, async (talk) => {
  await talk.begin('EDS', 'a@1', { names: ['a'], subscribe: ['a'] });
  talk.names('EDS', ['a', 'b']);
  await talk.hears('EDS', 'b@1');
  talk.ack('EDS');
  await talk.silent('EDS');
});

point(
  '13 a new name of clusters is answered; in the state of the world with all of them',
  {},
  async (talk) => {
    await talk.begin('CDS', 'a@1', { names: ['a'], subscribe: ['a'] });
    talk.names('CDS', ['a', 'b']);
    await talk.hears('CDS', { delta: 'b@1', world: 'a@1 b@1' });
    talk.ack('CDS');
    await talk.silent('CDS');
  },
);

point('14 a name that was given up and is named again is sent again', {}, async (talk) => {
  await talk.begin('EDS', 'a@1 b@1', { names: ['a', 'b'], subscribe: ['a', 'b'] });
  talk.names('EDS', ['b']);
  talk.names('EDS', ['a', 'b']);
  await talk.hears('EDS', 'a@1');
  talk.ack('EDS');
  await talk.silent('EDS');
});

point('14 a name that is subscribed already is sent again', { variants: ['delta'] }, async (talk) => {
  await talk.begin('EDS', 'a@1', { subscribe: ['a'] });
  talk.ask('EDS', { subscribe: ['a'] });
  await talk.hears('EDS', 'a@1');
  talk.ack('EDS');
  await talk.silent('EDS');
});

point('15 endpoints that do not exist: removed in delta, once; else silence', {}, async (talk) => {
  talk.ask('EDS', { names: ['x'], subscribe: ['x'] });
  if (talk.variant === 'delta') {
    await talk.hears('EDS', '-x');
    talk.ack('EDS');
  }
  await talk.serve({ ...SPEC, EDS: 'a@2' });
  await talk.silent('EDS');
});

point('15 a cluster that does not exist: removed in delta; else the set without it', {}, async (talk) => {
  const names = ['a', 'x'];
  await talk.begin('CDS', { delta: 'a@1 -x', world: 'a@1' }, { names, subscribe: names });
  await talk.silent('CDS');
});

for (const type of ['EDS', 'CDS'] as const) {
  point(`16 a name of ${type} that did not exist is sent when it is created`, {}, async (talk) => {
    const names = ['a', 'x'];
    await talk.begin(type, { delta: 'a@1 -x', world: 'a@1' }, { names, subscribe: names });
    await talk.serve({ ...SPEC, [type]: 'a@1 b@1 x@1' });
    await talk.hears(type, { delta: 'x@1', world: type === 'CDS' ? 'a@1 x@1' : 'x@1' });
    talk.ack(type);
    await talk.silent(type);
  });
}

point(
  '17 a name that was never subscribed is given up: silence, and the stream lives',
  { variants: ['delta'] },
  async (talk) => {
    await talk.begin('EDS', 'a@1', { subscribe: ['a'] });
    talk.ask('EDS', { unsubscribe: ['b', 'x'] });
    await talk.silent('EDS');
    await talk.serve({ ...SPEC, EDS: 'a@2' });
    await talk.hears('EDS', 'a@2');
    talk.ack('EDS');
    await talk.silent('EDS');
    assert.equal(talk.stream('EDS').waiting, 0);
  },
);
