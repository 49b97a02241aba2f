import assert from 'node:assert/strict';
import { test } from 'node:test';

import { testFirstRequests } from './first-requests.ts';
import { snapshotOf, type Spec, Talk } from './talk.ts';

function delta(snapshot: Spec, drainMs = 10_000): Talk {
  return new Talk('delta', { snapshot, drainMs });
}

testFirstRequests('delta', [
  ['nothing for clusters brings all', 'CDS', {}, ['CDS a@1 b@1']],
  ['"*" for clusters brings all', 'CDS', { subscribe: ['*'] }, ['CDS a@1 b@1']],
  ['nothing for listeners brings all', 'LDS', {}, ['LDS l@1']],
  ['nothing for endpoints brings nothing', 'EDS', {}, []],
  ['"*" for endpoints brings nothing', 'EDS', { subscribe: ['*'] }, []],
  ['one name brings that one', 'CDS', { subscribe: ['b'] }, ['CDS b@1']],
  ['a nonce of another stream counts all the same', 'CDS', { nonce: '77' }, ['CDS a@1 b@1']],
  ['a name that does not exist is told to be removed', 'EDS', { subscribe: ['a', 'x'] }, ['EDS a@1 -x']],
  ['unsubscribing only keeps the old form', 'CDS', { unsubscribe: ['x'] }, ['CDS a@1 b@1']],
  ['all versions known is met with silence', 'CDS', { known: { a: '1', b: '1' } }, []],
  ['one version too old brings that one', 'CDS', { known: { a: '0', b: '1' } }, ['CDS a@1']],
  ['one version missing brings that one', 'LDS', { known: {}, subscribe: ['l'] }, ['LDS l@1']],
  [
    'a known listener that is gone is removed at once',
    'LDS',
    { known: { l: '1', gone: '1' } },
    ['LDS -gone'],
  ],
  [
    'known names under a wildcard type, listed as older Envoys do',
    'CDS',
    { subscribe: ['a', 'b'], known: { a: '1', b: '1' } },
    [],
  ],
  ['known endpoints are sent though equal', 'EDS', { subscribe: ['a'], known: { a: '1' } }, ['EDS a@1']],
]);

test('delta: nothing is said before there is a snapshot, and an empty one is told to a client that starts', () => {
  const talk = new Talk('delta');
  assert.deepEqual(talk.ask('CDS'), []);
  assert.deepEqual(talk.serve({}), ['CDS']);
  assert.deepEqual(talk.ack('CDS'), []);
  assert.deepEqual(talk.ask('LDS', { known: { l: '1' } }), ['LDS -l']);
});

test('delta: an acknowledgement and its repetition are met with silence', () => {
  const talk = delta({ CDS: 'a@1' });
  talk.ask('CDS');
  assert.deepEqual(talk.ack('CDS'), []);
  assert.equal(talk.answer()?.outcome, 'accepted');
  assert.deepEqual(talk.ack('CDS'), []);
  assert.equal(talk.answer(), undefined);
});

test('delta: a refusal is recorded, silent, and stays so while only other types change', () => {
  const talk = delta({ CDS: 'a@1', LDS: 'l@1' });
  talk.settle(talk.ask('CDS'));
  talk.ask('LDS');
  assert.deepEqual(talk.nack('LDS', 'Error adding/updating listener(s) l: no\n'), []);
  assert.deepEqual(talk.answer()?.outcome, 'rejected');
  assert.equal(talk.rejection('LDS'), 'Error adding/updating listener(s) l: no');
  assert.deepEqual(talk.nack('LDS', 'again'), []);
  assert.deepEqual(talk.settle(talk.serve({ CDS: 'a@2', LDS: 'l@1' })), ['CDS a@2']);
  assert.deepEqual(talk.pass(4_999), []);
});

test('delta: other content than the refused is sent at once, and its acknowledgement ends the refusal', () => {
  const talk = delta({ LDS: 'l@1' });
  talk.settle(talk.ask('LDS'));
  talk.serve({ LDS: 'l@2' });
  talk.nack('LDS', 'no');
  assert.deepEqual(talk.serve({ LDS: 'l@3' }), ['LDS l@3']);
  assert.equal(talk.rejection('LDS'), 'no');
  talk.ack('LDS');
  assert.equal(talk.rejection('LDS'), undefined);
});

test('delta: the content before the refused one is sent again', () => {
  const talk = delta({ LDS: 'l@1' });
  talk.settle(talk.ask('LDS'));
  talk.serve({ LDS: 'l@2' });
  talk.nack('LDS', 'no');
  assert.deepEqual(talk.serve({ LDS: 'l@1' }), ['LDS l@1']);
});

test('delta: what was refused is not sent again along with what changed', () => {
  const talk = delta({ LDS: 'good@1 bad@1' });
  talk.ask('LDS');
  talk.nack('LDS', 'Error adding/updating listener(s) bad: cannot bind\n');
  assert.deepEqual(talk.settle(talk.serve({ LDS: 'good@2 bad@1' })), ['LDS good@2']);
  assert.equal(talk.rejection('LDS'), 'Error adding/updating listener(s) bad: cannot bind');
});

test('delta: what was refused without a name is tried again as soon as one of them changes', () => {
  const talk = delta({ CDS: 'good@1 bad@1 old@1' });
  talk.ask('CDS');
  talk.nack('CDS', 'name: "bad" { } Proto constraint validation failed (x)');
  assert.deepEqual(talk.serve({ CDS: 'good@1 bad@1 old@1 new@1' }), ['CDS new@1']);
  talk.ack('CDS');
  assert.ok(talk.rejection('CDS'));
  assert.deepEqual(talk.serve({ CDS: 'good@1 bad@2 old@1 new@1' }), ['CDS bad@2 good@1 old@1']);
  talk.ack('CDS');
  assert.equal(talk.rejection('CDS'), undefined);
});

test('delta: names in a request with a stale or unknown nonce count, its answer does not', () => {
  const talk = delta({ EDS: 'a@1 b@1' });
  talk.ask('EDS', { subscribe: ['a'] });
  talk.ack('EDS');
  assert.deepEqual(talk.ask('EDS', { nonce: '999', subscribe: ['b'] }), ['EDS b@1']);
  assert.equal(talk.answer(), undefined);
});

test('delta: a name given up under "*" is answered: with the resource if there is one, else as removed', () => {
  const talk = delta({ CDS: 'a@1' });
  talk.settle(talk.ask('CDS', { subscribe: ['*', 'a', 'x'] }));
  assert.deepEqual(talk.settle(talk.ask('CDS', { unsubscribe: ['a'] })), ['CDS a@1']);
  assert.deepEqual(talk.settle(talk.ask('CDS', { unsubscribe: ['x'] })), ['CDS -x']);
});

test('delta: after all names are given up nothing is wanted, and it does not become a wildcard', () => {
  const talk = delta({ CDS: 'a@1 b@1' });
  talk.settle(talk.ask('CDS', { subscribe: ['a'] }));
  assert.deepEqual(talk.ask('CDS', { unsubscribe: ['a'] }), []);
  assert.deepEqual(talk.ask('CDS'), []);
  assert.deepEqual(talk.serve({ CDS: 'a@2 b@2' }), []);
});

test('delta: a name added to the old form leaves the wildcard; "-*" leaves only the name', () => {
  const talk = delta({ CDS: 'a@1 b@1' });
  talk.settle(talk.ask('CDS'));
  assert.deepEqual(talk.settle(talk.ask('CDS', { subscribe: ['a'] })), ['CDS a@1']);
  assert.deepEqual(talk.settle(talk.serve({ CDS: 'a@1 b@2' })), ['CDS b@2']);
  assert.deepEqual(talk.ask('CDS', { unsubscribe: ['*'] }), []);
  assert.deepEqual(talk.serve({ CDS: 'a@1 b@3' }), []);
  assert.deepEqual(talk.serve({ CDS: 'a@2 b@3' }), ['CDS a@2']);
});

test('delta: what "*" brought is forgotten with it: its end is not told, and it is sent again with the next "*"', () => {
  const talk = delta({ LDS: 'l@1 m@1 n@1' });
  talk.settle(talk.ask('LDS', { subscribe: ['*', 'l'] }));
  talk.ask('LDS', { unsubscribe: ['*'] });
  assert.deepEqual(talk.serve({ LDS: 'l@1 m@1' }), []);
  assert.deepEqual(talk.ask('LDS', { subscribe: ['*'] }), ['LDS m@1']);
});

test('delta: a refused removal is sent again with the next change', () => {
  const talk = delta({ LDS: 'l@1 m@1' });
  talk.settle(talk.ask('LDS'));
  assert.deepEqual(talk.serve({ LDS: 'm@1' }), ['LDS -l']);
  assert.deepEqual(talk.nack('LDS', 'no'), []);
  assert.deepEqual(talk.settle(talk.serve({ LDS: 'm@2' })), ['LDS m@2 -l']);
  assert.equal(talk.rejection('LDS'), undefined);
  assert.deepEqual(talk.serve({ LDS: 'm@3' }), ['LDS m@3']);
});

test('delta: a new name brings that one only; a name asked for again is sent again', () => {
  const talk = delta({ EDS: 'a@1 b@1' });
  talk.settle(talk.ask('EDS', { subscribe: ['a'] }));
  assert.deepEqual(talk.settle(talk.ask('EDS', { subscribe: ['b'] })), ['EDS b@1']);
  assert.deepEqual(talk.settle(talk.ask('EDS', { subscribe: ['b'] })), ['EDS b@1']);
  assert.deepEqual(talk.ask('EDS', { unsubscribe: ['a'] }), []);
  assert.deepEqual(talk.settle(talk.ask('EDS', { subscribe: ['a'] })), ['EDS a@1']);
});

test('delta: a name that does not exist is told once, and sent when it is created', () => {
  const talk = delta({ EDS: '' });
  assert.deepEqual(talk.settle(talk.ask('EDS', { subscribe: ['a'] })), ['EDS -a']);
  assert.deepEqual(talk.settle(talk.serve({ EDS: 'b@1' })), []);
  assert.deepEqual(talk.settle(talk.serve({ EDS: 'a@1 b@1' })), ['EDS a@1']);
});

test('delta: giving up a name never subscribed is met with silence', () => {
  const talk = delta({ EDS: 'a@1' });
  talk.settle(talk.ask('EDS', { subscribe: ['a'] }));
  assert.deepEqual(talk.ask('EDS', { unsubscribe: ['x'] }), []);
  assert.deepEqual(talk.serve({ EDS: 'a@2' }), ['EDS a@2']);
});

test('delta: a change brings exactly what changed; a new snapshot with the same bytes nothing', () => {
  const talk = delta({ CDS: 'a@1 b@1 c@1' });
  talk.settle(talk.ask('CDS'));
  assert.deepEqual(talk.settle(talk.serve({ CDS: 'a@1 b@2 c@1' })), ['CDS b@2']);
  assert.deepEqual(talk.serve({ CDS: 'a@1 b@2 c@1' }), []);
});

test('delta: a deleted listener is removed at once, and comes back although it is unchanged', () => {
  const talk = delta({ LDS: 'l@1 m@1' });
  talk.settle(talk.ask('LDS'));
  assert.deepEqual(talk.settle(talk.serve({ LDS: 'm@1' })), ['LDS -l']);
  assert.deepEqual(talk.settle(talk.serve({ LDS: 'l@1 m@1' })), ['LDS l@1']);
});

test('delta: what a client gets for the first time has its own form; the change of form alone sends nothing', () => {
  const talk = delta({ CDS: 'a@1! b@1!' });
  assert.deepEqual(talk.settle(talk.ask('CDS')), ['CDS a@1! b@1!']);
  assert.deepEqual(talk.serve({ CDS: 'a@1! b@1!' }), []);
  assert.deepEqual(talk.settle(talk.serve({ CDS: 'a@1! b@2!' })), ['CDS b@2']);
  assert.deepEqual(talk.settle(talk.serve({ CDS: 'a@1! b@2! c@1!' })), ['CDS c@1!']);
  assert.deepEqual(talk.settle(talk.serve({ CDS: 'a@1! b@2! c@2!' })), ['CDS c@2']);
});

test('delta: a client that comes back gets that form of what it has no version of', () => {
  const talk = delta({ CDS: 'a@1! b@1!' });
  assert.deepEqual(talk.ask('CDS', { known: { a: '0' } }), ['CDS a@1 b@1!']);
});

test('delta: a late batch of answers is taken, and each counts for its own response', () => {
  const talk = delta({ CDS: 'a@1' });
  talk.ask('CDS');
  talk.pass(1_500);
  assert.deepEqual(talk.serve({ CDS: 'a@2' }), ['CDS a@2']);
  talk.pass(1_500);
  assert.deepEqual(talk.serve({ CDS: 'a@3' }), ['CDS a@3']);
  const outcomes = talk.responses.map(({ nonce }) => {
    talk.ask('CDS', { nonce });
    return talk
      .answer()
      ?.content.resources.map(({ version }) => version)
      .join();
  });
  assert.deepEqual(outcomes, ['1', '2', '3']);
  assert.deepEqual(talk.serve({ CDS: 'a@4' }), ['CDS a@4']);
});

test('delta: versions are equal on two streams with the same content', () => {
  const versions = [delta({ CDS: 'a@1 b@1' }), delta({ CDS: 'b@1 a@1' })].map((talk) => {
    talk.ask('CDS');
    return talk.last('CDS').content.version;
  });
  assert.equal(versions[0], versions[1]);
});

test('delta: the very same snapshot is no change', () => {
  const talk = new Talk('delta');
  const snapshot = snapshotOf({ CDS: 'a@1' });
  assert.equal(talk.stream.setSnapshot(snapshot), true);
  assert.equal(talk.stream.setSnapshot(snapshot), false);
});
