import assert from 'node:assert/strict';
import { test } from 'node:test';

import { versionOf as toldVersionOf } from '../../src/xds/state-of-the-world.ts';
import { testFirstRequests } from './first-requests.ts';
import { type ShortType, snapshotOf, type Spec, Talk, typeOf } from './talk.ts';

function world(snapshot: Spec, drainMs = 10_000): Talk {
  return new Talk('state of the world', { snapshot, drainMs });
}

/** The version of a full set, as another stream is told it. */
function versionOf(type: ShortType, list: string): string {
  const talk = world({ [type]: list });
  talk.ask(type);
  return talk.last(type).content.version;
}

testFirstRequests('state of the world', [
  ['nothing for clusters brings all', 'CDS', {}, ['CDS a@1 b@1']],
  ['"*" for clusters brings all', 'CDS', { names: ['*'] }, ['CDS a@1 b@1']],
  ['nothing for listeners brings all', 'LDS', {}, ['LDS l@1']],
  ['nothing for endpoints brings nothing', 'EDS', {}, []],
  ['"*" for endpoints brings nothing', 'EDS', { names: ['*'] }, []],
  ['one name brings that one', 'CDS', { names: ['b'] }, ['CDS b@1']],
  ['a nonce of another stream counts all the same', 'CDS', { nonce: '77', version: 'old' }, ['CDS a@1 b@1']],
  ['endpoints that do not exist are not spoken of', 'EDS', { names: ['a', 'x'] }, ['EDS a@1']],
  ['only endpoints that do not exist: silence', 'EDS', { names: ['x'] }, []],
  ['only a cluster that does not exist: the full set without it', 'CDS', { names: ['x'] }, ['CDS']],
  ['our version of everything is met with silence', 'CDS', { version: versionOf('CDS', 'b@1 a@1') }, []],
  ['another version brings all', 'CDS', { version: versionOf('CDS', 'b@1 a@0') }, ['CDS a@1 b@1']],
  [
    'our version of named endpoints is answered',
    'EDS',
    { names: ['a'], version: versionOf('CDS', 'a@1') },
    ['EDS a@1'],
  ],
  [
    'our version of named clusters is answered',
    'CDS',
    { names: ['a'], version: versionOf('CDS', 'a@1') },
    ['CDS a@1'],
  ],
]);

test('state of the world: a client that was told nothing because it knew all gets the next change', () => {
  const talk = world({ CDS: 'a@1' });
  assert.deepEqual(talk.ask('CDS', { version: versionOf('CDS', 'a@1') }), []);
  assert.deepEqual(talk.serve({ CDS: 'a@2' }), ['CDS a@2']);
});

test('state of the world: nothing is said before there is a snapshot, and an empty one is told', () => {
  const talk = new Talk('state of the world');
  assert.deepEqual(talk.ask('CDS'), []);
  assert.deepEqual(talk.serve({}), ['CDS']);
  assert.deepEqual(talk.ack('CDS'), []);
});

test('state of the world: an acknowledgement and its repetition are met with silence', () => {
  const talk = world({ CDS: 'a@1' });
  talk.ask('CDS');
  assert.deepEqual(talk.ack('CDS'), []);
  assert.equal(talk.answer()?.outcome, 'accepted');
  assert.deepEqual(talk.ack('CDS'), []);
  assert.equal(talk.answer(), undefined);
});

test('state of the world: a refusal is recorded, silent, and stays so while only other types change', () => {
  const talk = world({ CDS: 'a@1', LDS: 'l@1' });
  talk.settle(talk.ask('CDS'));
  talk.ask('LDS');
  assert.deepEqual(talk.nack('LDS', 'no'), []);
  assert.equal(talk.rejection('LDS'), 'no');
  assert.deepEqual(talk.nack('LDS', 'no'), []);
  assert.deepEqual(talk.settle(talk.serve({ CDS: 'a@2', LDS: 'l@1' })), ['CDS a@2']);
  assert.deepEqual(talk.pass(4_999), []);
});

test('state of the world: other content than the refused is sent at once, and its acknowledgement ends the refusal', () => {
  const talk = world({ LDS: 'l@1' });
  talk.settle(talk.ask('LDS'));
  talk.serve({ LDS: 'l@2' });
  talk.nack('LDS', 'no');
  assert.deepEqual(talk.serve({ LDS: 'l@3' }), ['LDS l@3']);
  assert.equal(talk.rejection('LDS'), 'no');
  talk.ack('LDS');
  assert.equal(talk.rejection('LDS'), undefined);
});

test('state of the world: the content before the refused one is sent again', () => {
  const talk = world({ LDS: 'l@1' });
  talk.settle(talk.ask('LDS'));
  talk.serve({ LDS: 'l@2' });
  talk.nack('LDS', 'no');
  assert.deepEqual(talk.serve({ LDS: 'l@1' }), ['LDS l@1']);
});

test('state of the world: versions in a request tell nothing, the error and the nonce do', () => {
  const talk = world({ LDS: 'l@1' });
  talk.ask('LDS');
  talk.nack('LDS', 'no', { version: talk.last('LDS').content.version });
  assert.equal(talk.answer()?.outcome, 'rejected');
  talk.serve({ LDS: 'l@2' });
  talk.ack('LDS', { version: 'older' });
  assert.equal(talk.answer()?.outcome, 'accepted');
});

test('state of the world: a stale request is neither answer nor answered while a response is in flight', () => {
  const talk = world({ EDS: 'a@1 b@1' });
  talk.settle(talk.ask('EDS', { names: ['a'] }));
  const stale = talk.last('EDS').nonce;
  assert.deepEqual(talk.serve({ EDS: 'a@2 b@1' }), ['EDS a@2']);
  assert.deepEqual(talk.ask('EDS', { names: ['a', 'b'], nonce: stale }), []);
  assert.equal(talk.answer(), undefined);
  assert.deepEqual(talk.ack('EDS', { names: ['a', 'b'] }), ['EDS b@1']);
  assert.equal(talk.answer()?.outcome, 'accepted');
});

test('state of the world: names of a stale request count if no answer comes within the limit', () => {
  const talk = world({ EDS: 'a@1 b@1' });
  talk.settle(talk.ask('EDS', { names: ['a'] }));
  const stale = talk.last('EDS').nonce;
  talk.serve({ EDS: 'a@2 b@1' });
  talk.ask('EDS', { names: ['a', 'b'], nonce: stale });
  assert.deepEqual(talk.pass(1_499), []);
  assert.deepEqual(talk.pass(1), ['EDS b@1']);
});

test('state of the world: names of a stale request count at once if nothing is in flight', () => {
  const talk = world({ EDS: 'a@1 b@1' });
  talk.settle(talk.ask('EDS', { names: ['a'] }));
  const stale = talk.last('EDS').nonce;
  talk.settle(talk.serve({ EDS: 'a@2 b@1' }));
  assert.deepEqual(talk.ask('EDS', { names: ['a', 'b'], nonce: stale }), ['EDS b@1']);
});

test('state of the world: a request without a nonce that crosses our first response only adds its names', () => {
  const talk = world({ EDS: 'a@1 b@1' });
  assert.deepEqual(talk.ask('EDS', { names: ['a'] }), ['EDS a@1']);
  assert.deepEqual(talk.ask('EDS', { names: ['a', 'b'] }), []);
  assert.deepEqual(talk.ack('EDS'), ['EDS b@1']);
});

test('state of the world: a request without a nonce after an answer starts the type anew', () => {
  const talk = world({ EDS: 'a@1 b@1', CDS: 'a@1' });
  talk.settle(talk.ask('EDS', { names: ['a'] }));
  assert.deepEqual(talk.ask('EDS', { names: ['a'] }), ['EDS a@1']);
  talk.settle(talk.ask('CDS'));
  assert.deepEqual(talk.ask('CDS', { version: talk.last('CDS').content.version }), []);
  assert.deepEqual(talk.ask('CDS'), ['CDS a@1']);
});

test('state of the world: "*" beside a name, then "*" alone, stays everything and is silent', () => {
  const talk = world({ CDS: 'a@1 b@1' });
  talk.settle(talk.ask('CDS', { names: ['*', 'a'] }));
  assert.deepEqual(talk.ack('CDS', { names: ['*'] }), []);
  assert.deepEqual(talk.serve({ CDS: 'a@1 b@2' }), ['CDS a@1 b@2']);
});

test('state of the world: after explicit names an empty list means nothing', () => {
  const talk = world({ CDS: 'a@1 b@1' });
  talk.settle(talk.ask('CDS', { names: ['a'] }));
  assert.deepEqual(talk.ack('CDS', { names: [] }), []);
  assert.deepEqual(talk.serve({ CDS: 'a@2 b@2' }), []);
});

test('state of the world: the version of what was named is not that of everything', () => {
  const snapshot = { CDS: 'a@1 b@1' };
  const talk = new Talk('state of the world', { snapshot });
  assert.deepEqual(talk.ask('CDS', { names: ['a'] }), ['CDS a@1']);
  const { version } = talk.last('CDS').content;
  const reconnected = new Talk('state of the world', { snapshot });
  assert.deepEqual(reconnected.ask('CDS', { version }), ['CDS a@1 b@1']);
});

test('state of the world: a full set that is taken ends what was refused before it', () => {
  const talk = new Talk('state of the world', { snapshot: { CDS: 'a@1' } });
  talk.ask('CDS', { names: ['a'] });
  talk.ack('CDS');
  assert.deepEqual(talk.serve({}), ['CDS']);
  assert.deepEqual(talk.nack('CDS', 'not without a', { names: ['a', '*'] }), ['CDS']);
  assert.equal(talk.rejection('CDS'), 'not without a');
  talk.ack('CDS');
  assert.equal(talk.rejection('CDS'), undefined);
});

test('state of the world: "*" can be gained and lost by name', () => {
  const talk = world({ CDS: 'a@1 b@1' });
  talk.settle(talk.ask('CDS', { names: ['a'] }));
  assert.deepEqual(talk.settle(talk.ack('CDS', { names: ['a', '*'] })), ['CDS a@1 b@1']);
  assert.deepEqual(talk.ack('CDS', { names: ['a'] }), []);
  assert.deepEqual(talk.serve({ CDS: 'a@1 b@2' }), []);
});

test('state of the world: a new name brings that one of endpoints, and the full set of clusters', () => {
  const talk = world({ CDS: 'a@1 b@1', EDS: 'a@1 b@1' });
  talk.settle(talk.ask('EDS', { names: ['a'] }));
  assert.deepEqual(talk.settle(talk.ack('EDS', { names: ['a', 'b'] })), ['EDS b@1']);
  talk.settle(talk.ask('CDS', { names: ['a'] }));
  assert.deepEqual(talk.ack('CDS', { names: ['a', 'b'] }), ['CDS a@1 b@1', 'EDS b@1']);
});

test('state of the world: a name given up and asked for again is sent again', () => {
  const talk = world({ CDS: 'a@1 b@1', EDS: 'a@1 b@1' });
  talk.settle(talk.ask('EDS', { names: ['a', 'b'] }));
  assert.deepEqual(talk.ack('EDS', { names: ['b'] }), []);
  assert.deepEqual(talk.settle(talk.ack('EDS', { names: ['a', 'b'] })), ['EDS a@1']);
});

test('state of the world: endpoints subscribed before they exist are sent when they do', () => {
  const talk = world({ EDS: '' });
  assert.deepEqual(talk.ask('EDS', { names: ['a'] }), []);
  assert.deepEqual(talk.settle(talk.serve({ EDS: 'a@1 b@1' })), ['EDS a@1']);
});

test('state of the world: a change brings the full set of listeners; the same bytes nothing', () => {
  const talk = world({ LDS: 'l@1 m@1' });
  talk.settle(talk.ask('LDS'));
  assert.deepEqual(talk.settle(talk.serve({ LDS: 'l@2 m@1' })), ['LDS l@2 m@1']);
  assert.deepEqual(talk.serve({ LDS: 'm@1 l@2' }), []);
});

test('state of the world: a deletion brings the full set without it, empty if it was the last', () => {
  const talk = world({ LDS: 'l@1 m@1' });
  talk.settle(talk.ask('LDS'));
  assert.deepEqual(talk.settle(talk.serve({ LDS: 'm@1' })), ['LDS m@1']);
  assert.deepEqual(talk.settle(talk.serve({})), ['LDS']);
});

test('state of the world: deleted endpoints are not spoken of, and sent when they come back', () => {
  const talk = world({ EDS: 'a@1 b@1' });
  talk.settle(talk.ask('EDS', { names: ['a', 'b'] }));
  assert.deepEqual(talk.serve({ EDS: 'b@1' }), []);
  assert.deepEqual(talk.serve({ EDS: 'a@1 b@1' }), ['EDS a@1']);
});

test('state of the world: what a client gets for the first time has its own form, and keeps it until it changes', () => {
  const talk = world({ CDS: 'a@1! b@1!' });
  assert.deepEqual(talk.settle(talk.ask('CDS')), ['CDS a@1! b@1!']);
  assert.deepEqual(talk.serve({ CDS: 'b@1! a@1!' }), []);
  assert.deepEqual(talk.settle(talk.serve({ CDS: 'a@1! b@2!' })), ['CDS a@1! b@2']);
  assert.deepEqual(talk.settle(talk.serve({ CDS: 'a@2! b@2!' })), ['CDS a@2 b@2']);
  assert.deepEqual(talk.settle(talk.serve({ CDS: 'a@2! b@2! c@1!' })), ['CDS a@2 b@2 c@1!']);
  assert.deepEqual(talk.settle(talk.serve({ CDS: 'a@2! b@3! c@1!' })), ['CDS a@2 b@3 c@1!']);
  assert.deepEqual(talk.settle(talk.serve({ CDS: 'a@2! b@3!' })), ['CDS a@2 b@3']);
  assert.deepEqual(talk.settle(talk.serve({ CDS: 'a@2! b@3! c@1!' })), ['CDS a@2 b@3 c@1!']);
});

test('state of the world: a client that knows a version gets no form for starting clients', () => {
  // Whoever comes first, all share the snapshot.
  const snapshot = snapshotOf({ CDS: 'a@1!' });
  for (const [version, form] of [
    ['', '!'],
    ['older', ''],
    ['', '!'],
  ] as const) {
    const talk = world({});
    talk.stream.setSnapshot(snapshot);
    assert.deepEqual(talk.ask('CDS', { version }), [`CDS a@1${form}`]);
  }
});

test('state of the world: who comes back with the same set holds in initial form what it held in it', () => {
  const before = world({ CDS: 'a@1! b@1! c@1! d@1' });
  before.settle(before.ask('CDS'));
  const spec = { CDS: 'a@1! b@2! c@1! d@1' };
  assert.deepEqual(before.settle(before.serve(spec)), ['CDS a@1! b@2 c@1! d@1']);
  const { content, initialForm } = before.last('CDS');
  const version = toldVersionOf(content, initialForm);

  const back = world(spec);
  assert.deepEqual(back.ask('CDS', { version }), []);
  assert.deepEqual(back.settle(back.serve({ CDS: 'a@1! b@2! c@2! d@1 e@1!' })), [
    'CDS a@1! b@2 c@2 d@1 e@1!',
  ]);

  const late = world({ CDS: 'a@1! b@2! c@2! d@1' });
  assert.deepEqual(late.ask('CDS', { version }), ['CDS a@1 b@2 c@2 d@1'], 'of another set nothing is known');
});

test('state of the world: of a late batch only the newest answer counts', () => {
  const talk = world({ CDS: 'a@1' });
  talk.ask('CDS');
  talk.pass(1_500);
  talk.serve({ CDS: 'a@2' });
  const [first] = talk.responses;
  talk.ask('CDS', { nonce: first?.nonce ?? '' });
  assert.equal(talk.answer(), undefined);
  talk.ack('CDS');
  assert.equal(talk.answer()?.content.resources[0]?.version, '2');
});

test('state of the world: a client that starts anew changes nothing for who holds a cluster in initial form', () => {
  const [before, after] = [snapshotOf({ CDS: 'a@1! b@1' }), snapshotOf({ CDS: 'a@1! b@2' })];
  // As all streams of a view they share their snapshots, and what leads from one to the other.
  const talks = [world({}), world({})] as const;
  for (const talk of talks) {
    talk.stream.setSnapshot(before);
    assert.deepEqual(talk.ask('CDS'), ['CDS a@1! b@1']);
    assert.deepEqual(talk.ack('CDS'), []);
  }
  const [anew, other] = talks;
  const request = { variant: 'state of the world', typeUrl: typeOf('CDS'), error: undefined } as const;
  anew.stream.request({ ...request, nonce: '', version: '', names: [] }, 0);
  anew.stream.setSnapshot(after);
  assert.deepEqual(anew.said(), ['CDS a@1 b@2']);
  other.stream.setSnapshot(after);
  assert.deepEqual(other.said(), ['CDS a@1! b@2']);
});

test('state of the world: of refused endpoints that have gone no answer is awaited', () => {
  const talk = new Talk('state of the world', { snapshot: { EDS: 'a@1' } });
  talk.settle(talk.ask('EDS', { names: ['a'] }));
  talk.serve({ EDS: 'a@2' });
  talk.nack('EDS', 'no');
  assert.equal(talk.rejection('EDS'), 'no');
  assert.deepEqual(talk.serve({}), []);
  assert.equal(talk.rejection('EDS'), undefined);
  assert.deepEqual(
    talk.stream.states().map(({ isAnswered }) => isAnswered),
    [true],
  );
});
