/**
 * What a stream promises across types: clusters, endpoints, listeners; clusters are removed last. In both variants.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { Variant } from '../../src/xds/requests.ts';
import { type Spec, Talk } from './talk.ts';

const BOTH: readonly Variant[] = ['state of the world', 'delta'];

/** A client that has asked for everything, as Envoy does, and acknowledged it. */
function settled(variant: Variant, snapshot: Spec, drainMs = 10_000): Talk {
  const talk = new Talk(variant, { snapshot, drainMs });
  const names = (snapshot.EDS ?? '').split(' ').flatMap((word) => word.split('@')[0] || []);
  talk.settle(talk.ask('CDS'));
  if (names.length > 0) talk.settle(talk.ask('EDS', { names, subscribe: names }));
  talk.settle(talk.ask('LDS'));
  return talk;
}

/** Removals are said in delta only. */
function lines(variant: Variant, delta: readonly string[], world: readonly string[]): readonly string[] {
  return variant === 'delta' ? delta : world;
}

for (const variant of BOTH) {
  describe(variant, () => {
    const before = { CDS: 'a@1 b@1', EDS: 'a@1 b@1', LDS: 'l@1 m@1' };

    test('one change of all types leaves as clusters, endpoints, listeners, waiting for no answer', () => {
      const talk = settled(variant, { CDS: 'a@1', EDS: 'a@1', LDS: 'l@1' });
      assert.deepEqual(talk.serve({ CDS: 'a@2', EDS: 'a@2', LDS: 'l@2' }), ['CDS a@2', 'EDS a@2', 'LDS l@2']);
    });

    test('endpoints of a changed cluster follow it unchanged, those of others do not', () => {
      const talk = settled(variant, before);
      const cds = lines(variant, ['CDS a@2'], ['CDS a@2 b@1']);
      assert.deepEqual(talk.serve({ ...before, CDS: 'a@2 b@1' }), [...cds, 'EDS a@1']);
      assert.deepEqual(talk.ack('EDS'), []);
      assert.deepEqual(talk.ack('CDS'), []);
    });

    test('endpoints of a changed cluster wait for the ones in flight, for as long as the limit', () => {
      const talk = settled(variant, before);
      assert.deepEqual(talk.serve({ ...before, EDS: 'a@2 b@1' }), ['EDS a@2']);
      const cds = lines(variant, ['CDS a@2'], ['CDS a@2 b@1']);
      assert.deepEqual(talk.serve({ CDS: 'a@2 b@1', EDS: 'a@2 b@1', LDS: 'l@2 m@1' }), cds);
      const lds = lines(variant, ['LDS l@2'], ['LDS l@2 m@1']);
      assert.deepEqual(talk.pass(1_500), ['EDS a@2', ...lds]);
    });

    test('refused endpoints do not follow their cluster, until they change', () => {
      const talk = settled(variant, before);
      talk.serve({ ...before, EDS: 'a@2 b@1' });
      talk.nack('EDS', 'no');
      const cds = lines(variant, ['CDS a@2'], ['CDS a@2 b@1']);
      assert.deepEqual(talk.settle(talk.serve({ ...before, CDS: 'a@2 b@1', EDS: 'a@2 b@1' })), cds);
      assert.deepEqual(talk.serve({ ...before, CDS: 'a@2 b@1', EDS: 'a@3 b@1' }), ['EDS a@3']);
    });

    test('clusters whose answer is withheld hold up neither endpoints nor listeners, nor clusters beyond the limit', () => {
      const talk = settled(variant, { CDS: 'a@1', EDS: 'a@1', LDS: 'l@1' });
      assert.deepEqual(talk.serve({ CDS: 'a@2', EDS: 'a@1', LDS: 'l@1' }), ['CDS a@2', 'EDS a@1']);
      talk.ack('EDS');
      assert.deepEqual(talk.serve({ CDS: 'a@2', EDS: 'a@2', LDS: 'l@2' }), ['EDS a@2', 'LDS l@2']);
      talk.ack('EDS');
      talk.ack('LDS');
      assert.deepEqual(talk.serve({ CDS: 'a@3', EDS: 'a@2', LDS: 'l@3' }), []);
      assert.equal(talk.stream.wakeAt(talk.now), 1_500);
      assert.deepEqual(talk.pass(1_499), []);
      assert.deepEqual(talk.pass(1), ['CDS a@3', 'EDS a@2', 'LDS l@3']);
    });

    test('listeners wait for endpoints no longer than the limit, when those are held up by turns with clusters', () => {
      const talk = settled(variant, { CDS: 'a@1', EDS: 'a@1', LDS: 'l@1' });
      assert.deepEqual(talk.serve({ CDS: 'a@1', EDS: 'a@2', LDS: 'l@1' }), ['EDS a@2']);
      talk.pass(700);
      assert.deepEqual(talk.serve({ CDS: 'a@2', EDS: 'a@2', LDS: 'l@2' }), ['CDS a@2']);
      assert.deepEqual(talk.serve({ CDS: 'a@3', EDS: 'a@2', LDS: 'l@2' }), []);
      assert.deepEqual(talk.pass(800), ['EDS a@2']);
      assert.deepEqual(talk.pass(700), ['CDS a@3', 'LDS l@2']);
      assert.deepEqual(talk.pass(800), ['EDS a@2']);
    });

    test('of many changes during one response only the newest state follows it', () => {
      const talk = settled(variant, { LDS: 'l@1' });
      assert.deepEqual(talk.serve({ LDS: 'l@2' }), ['LDS l@2']);
      for (const version of [3, 4, 5]) assert.deepEqual(talk.serve({ LDS: `l@${version}` }), []);
      assert.deepEqual(talk.ack('LDS'), ['LDS l@5']);
      assert.deepEqual(talk.ack('LDS'), []);
    });

    test('a change that is taken back during one response is never sent', () => {
      const talk = settled(variant, { LDS: 'l@1' });
      talk.serve({ LDS: 'l@2' });
      talk.serve({ LDS: 'l@3' });
      talk.serve({ LDS: 'l@2' });
      assert.deepEqual(talk.ack('LDS'), []);
    });

    const without = { CDS: 'b@1', EDS: 'b@1', LDS: 'm@1' };
    const cdsGone = lines(variant, ['CDS -a', 'EDS -a'], ['CDS b@1']);
    const ldsGone = lines(variant, ['LDS -l'], ['LDS m@1']);

    test('a removed service loses its listener at once, its cluster after the acknowledgement and the drain time', () => {
      const talk = settled(variant, before);
      assert.deepEqual(talk.serve(without), ldsGone);
      assert.deepEqual(talk.pass(60_000), []);
      assert.deepEqual(talk.ack('LDS'), []);
      assert.equal(talk.stream.wakeAt(talk.now), 70_000);
      assert.deepEqual(talk.pass(9_999), []);
      assert.deepEqual(talk.settle(talk.pass(1)), cdsGone);
      assert.deepEqual(talk.pass(60_000), []);
    });

    test('a cluster goes after the drain time alone where no listener changes with it', () => {
      const talk = settled(variant, before);
      assert.deepEqual(talk.serve({ ...without, LDS: before.LDS }), []);
      assert.deepEqual(talk.pass(10_000), cdsGone);
    });

    test('listeners that are refused keep the cluster; once taken, it goes', () => {
      const talk = settled(variant, before);
      talk.serve({ ...without, LDS: 'm@2' });
      talk.nack('LDS', 'no');
      assert.deepEqual(talk.pass(4_999), []);
      talk.settle(talk.serve({ ...without, LDS: 'm@3' }));
      assert.deepEqual(talk.pass(9_999), []);
      assert.deepEqual(talk.pass(1), cdsGone);
    });

    test('a listener that is refused from the first keeps no cluster, nor does a change of it', () => {
      const talk = settled(variant, before);
      const refusal = 'Error adding/updating listener(s) new: cannot bind\n';
      talk.serve({ ...before, LDS: 'l@1 m@1 new@1' });
      talk.nack('LDS', refusal);
      talk.serve({ ...before, LDS: 'l@1 m@1 new@2' });
      talk.nack('LDS', refusal);
      talk.serve({ ...without, LDS: 'm@1 new@2' });
      // Only a full set has it again.
      if (variant === 'delta') talk.ack('LDS');
      else talk.nack('LDS', refusal);
      assert.equal(talk.rejection('LDS'), refusal.trim());
      assert.deepEqual(
        talk.pass(10_000).filter((line) => line.startsWith('CDS')),
        cdsGone.filter((line) => line.startsWith('CDS')),
      );
    });

    test('a listener that was taken once and is refused keeps the cluster, also if it was new while that was unsaid', () => {
      const talk = settled(variant, before);
      const refusal = 'Error adding/updating listener(s) new: cannot bind\n';
      talk.serve({ ...before, LDS: 'l@1 m@1 new@1' });
      talk.nack('LDS', refusal);
      talk.serve({ ...before, LDS: 'l@1 m@1 new@2' });
      // What it made of that one is never heard.
      talk.pass(1_500);
      talk.serve({ ...without, LDS: 'm@1 new@3' });
      talk.nack('LDS', refusal);
      assert.deepEqual(
        talk.pass(60_000).filter((line) => line.startsWith('CDS')),
        [],
      );
    });

    test('a listener that was refused and may have been taken when it was tried again keeps the cluster', () => {
      const talk = settled(variant, before);
      const refusal = 'Error adding/updating listener(s) new: cannot bind\n';
      talk.serve({ ...before, LDS: 'l@1 m@1 new@1' });
      talk.nack('LDS', refusal);
      // It is tried again; what became of that is not heard in time.
      const again = variant === 'delta' ? 'LDS new@1' : 'LDS l@1 m@1 new@1';
      assert.deepEqual(talk.pass(5_000), [again]);
      talk.pass(1_500);
      talk.serve({ ...without, LDS: 'm@1 new@2' });
      talk.nack('LDS', refusal);
      assert.deepEqual(
        talk.pass(60_000).filter((line) => line.startsWith('CDS')),
        [],
      );
    });

    test('an acknowledgement of listeners older than the change does not start the drain time', () => {
      const talk = settled(variant, before);
      talk.serve({ ...before, LDS: 'l@2 m@1' });
      assert.deepEqual(talk.serve(without), []);
      assert.deepEqual(talk.ack('LDS'), ldsGone);
      assert.deepEqual(talk.pass(60_000), []);
      talk.ack('LDS');
      assert.deepEqual(talk.pass(10_000), cdsGone);
    });

    test('a cluster that comes back meanwhile is as if it had never gone', () => {
      const talk = settled(variant, before);
      talk.settle(talk.serve(without));
      talk.pass(5_000);
      assert.deepEqual(talk.settle(talk.serve({ ...without, CDS: before.CDS, EDS: before.EDS })), []);
      assert.deepEqual(talk.pass(60_000), []);
    });

    test('a cluster that comes back and goes again has the whole drain time again', () => {
      const talk = settled(variant, before);
      talk.settle(talk.serve(without));
      talk.pass(5_000);
      talk.settle(talk.serve({ ...without, CDS: before.CDS, EDS: before.EDS }));
      talk.pass(3_000);
      talk.settle(talk.serve(without));
      assert.deepEqual(talk.pass(9_999), []);
      assert.deepEqual(talk.pass(1), cdsGone);
    });

    test('clusters that go at different times go by their own drain times', () => {
      const talk = settled(variant, { CDS: 'a@1 b@1 c@1', LDS: 'l@1' });
      talk.serve({ CDS: 'b@1 c@1', LDS: 'l@1' });
      talk.pass(4_000);
      talk.serve({ CDS: 'c@1', LDS: 'l@1' });
      assert.deepEqual(talk.settle(talk.pass(6_000)), lines(variant, ['CDS -a'], ['CDS b@1 c@1']));
      assert.deepEqual(talk.settle(talk.pass(4_000)), lines(variant, ['CDS -b'], ['CDS c@1']));
    });

    test('a drained cluster goes with the next clusters, though the snapshot changes before they can be sent', () => {
      const talk = settled(variant, { CDS: 'a@1 b@1', LDS: 'l@1' });
      talk.serve({ CDS: 'b@1', LDS: 'l@1' });
      talk.pass(9_999);
      assert.deepEqual(talk.serve({ CDS: 'b@2', LDS: 'l@1' }), lines(variant, ['CDS b@2'], ['CDS a@1 b@2']));
      assert.deepEqual(talk.pass(1), []);
      assert.deepEqual(talk.serve({ CDS: 'b@2', LDS: 'l@2' }), []);
      assert.deepEqual(talk.ack('CDS'), [...lines(variant, ['CDS -a'], ['CDS b@2']), 'LDS l@2']);
    });

    test('of a client that asks for clusters alone a cluster goes when the drain time is over', () => {
      const talk = new Talk(variant, { snapshot: { CDS: 'a@1 b@1', LDS: 'l@1' } });
      talk.settle(talk.ask('CDS', { version: 'of before', known: { a: '1' } }));
      assert.deepEqual(talk.serve({ CDS: 'b@1', LDS: 'l@1' }), []);
      assert.deepEqual(talk.pass(9_999), []);
      assert.deepEqual(talk.settle(talk.pass(1)), lines(variant, ['CDS -a'], ['CDS b@1']));
    });

    test('another cluster changes while one is kept: the kept one stays', () => {
      const talk = settled(variant, { CDS: 'a@1 b@1', LDS: 'l@1' });
      talk.serve({ CDS: 'b@1', LDS: 'l@1' });
      assert.deepEqual(talk.serve({ CDS: 'b@2', LDS: 'l@1' }), lines(variant, ['CDS b@2'], ['CDS a@1 b@2']));
    });

    test('endpoints of a kept cluster are still answered', () => {
      const talk = settled(variant, before);
      talk.settle(talk.serve(without));
      assert.deepEqual(talk.ask('EDS', { subscribe: ['a'], unsubscribe: [], names: ['a'] }), ['EDS a@1']);
    });

    test('without a drain time the cluster goes with the acknowledgement', () => {
      const talk = settled(variant, { CDS: 'a@1', LDS: 'l@1' }, 0);
      assert.deepEqual(talk.serve({}), lines(variant, ['LDS -l'], ['LDS']));
      assert.deepEqual(talk.ack('LDS'), lines(variant, ['CDS -a'], ['CDS']));
    });

    test('a cluster that went before a starting client asked for listeners, and comes back, is there for them', () => {
      const talk = new Talk(variant, { snapshot: { CDS: 'a@1 b@1', LDS: 'l@1' } });
      assert.deepEqual(talk.ask('CDS'), ['CDS a@1 b@1']);
      talk.serve({ CDS: 'a@1', LDS: 'l@1' });
      talk.ask('LDS');
      talk.serve({ CDS: 'a@2', LDS: 'l@1' });
      // The removal can be held back in delta only: there the client has it still.
      assert.deepEqual(talk.pass(1_500), ['CDS a@2', 'LDS l@1']);
      talk.ack('CDS');
      talk.ack('LDS');
      const cds = lines(variant, [], ['CDS a@2 b@1']);
      assert.deepEqual(talk.serve({ CDS: 'a@2 b@1', LDS: 'l@2' }), [...cds, 'LDS l@2']);
    });

    test('a starting client that has no listeners yet loses a cluster at once, as it may be the one that never warms', () => {
      const talk = new Talk(variant, { snapshot: { CDS: 'a@1 dead@1', LDS: 'l@1' } });
      talk.ask('CDS');
      talk.pass(1_500);
      assert.deepEqual(talk.serve({ CDS: 'a@1', LDS: 'l@1' }), lines(variant, ['CDS -dead'], ['CDS a@1']));
    });
  });
}

test('delta: listeners that are taken beside a refused one do not start the drain time', () => {
  const talk = settled('delta', { CDS: 'a@1 b@1', LDS: 'l@1 m@1' });
  talk.serve({ CDS: 'b@1', LDS: 'l@2 m@1' });
  talk.nack('LDS', 'l: no');
  assert.deepEqual(talk.settle(talk.serve({ CDS: 'b@1', LDS: 'l@2 m@2' })), ['LDS m@2']);
  assert.deepEqual(talk.pass(4_999), []);
  talk.settle(talk.serve({ CDS: 'b@1', LDS: 'l@3 m@2' }));
  assert.deepEqual(talk.pass(10_000), ['CDS -a']);
});

test('delta: a reconnecting client loses a cluster only after its listeners are acknowledged and drained', () => {
  const talk = new Talk('delta', { snapshot: { CDS: 'b@1', EDS: 'b@1', LDS: 'm@1' } });
  assert.deepEqual(talk.ask('CDS', { known: { a: '1', b: '1' } }), []);
  assert.deepEqual(talk.ask('EDS', { known: { a: '1', b: '1' }, subscribe: ['a', 'b'] }), ['EDS b@1']);
  talk.ack('EDS');
  // It does not ask for listeners, or not yet.
  assert.deepEqual(talk.pass(9_999), []);
  assert.deepEqual(talk.ask('LDS', { known: { l: '1', m: '1' } }), ['LDS -l']);
  assert.deepEqual(talk.pass(60_000), []);
  talk.ack('LDS');
  assert.deepEqual(talk.pass(9_999), []);
  assert.deepEqual(talk.settle(talk.pass(1)), ['CDS -a', 'EDS -a']);
});

test('delta: where the reconnecting client has our listeners already, the drain time starts with its request', () => {
  const talk = new Talk('delta', { snapshot: { CDS: 'b@1', LDS: 'm@1' } });
  talk.ask('CDS', { known: { a: '1', b: '1' } });
  talk.pass(5_000);
  talk.ask('LDS', { known: { m: '1' } });
  assert.deepEqual(talk.pass(9_999), []);
  assert.deepEqual(talk.pass(1), ['CDS -a']);
});

test('delta: a client that reconnected before the first snapshot is treated alike', () => {
  const talk = new Talk('delta');
  talk.ask('CDS', { known: { a: '1', b: '1' } });
  assert.deepEqual(talk.serve({ CDS: 'b@1', LDS: 'm@1' }), []);
  talk.settle(talk.ask('LDS', { known: { l: '1' } }));
  assert.deepEqual(talk.pass(10_000), ['CDS -a']);
});

test('state of the world: a reconnecting client loses it at once, as absence cannot be withheld', () => {
  const talk = new Talk('state of the world', { snapshot: { CDS: 'b@1', LDS: 'm@1' } });
  assert.deepEqual(talk.ask('CDS', { version: 'of a and b' }), ['CDS b@1']);
});
