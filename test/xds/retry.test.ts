/**
 * What a client refused is tried again, at the times that are meant for it and at no other.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Talk } from './talk.ts';

/** Seconds from each refusal to the next try, for as long as every try is refused. */
const WAITS_S = [5, 10, 20, 40, 80, 160, 300, 300];

for (const variant of ['state of the world', 'delta'] as const) {
  const full = (delta: string, world: string): string[] => [variant === 'delta' ? delta : world];

  describe(variant, () => {
    test('a refused listener is tried again after 5 s, then after twice as long each time, up to 5 minutes', () => {
      const talk = new Talk(variant, { snapshot: { LDS: 'good@1 bad@1' } });
      talk.ask('LDS');
      for (const seconds of WAITS_S) {
        assert.deepEqual(talk.nack('LDS', 'Error adding/updating listener(s) bad: cannot bind\n'), []);
        assert.equal(talk.stream.wakeAt(talk.now), talk.now + seconds * 1_000);
        assert.deepEqual(talk.pass(seconds * 1_000 - 1), []);
        assert.deepEqual(talk.pass(1), full('LDS bad@1', 'LDS bad@1 good@1'));
      }
    });

    test('a try that is accepted ends the refusal, and nothing more is tried', () => {
      const talk = new Talk(variant, { snapshot: { LDS: 'l@1' } });
      talk.ask('LDS');
      talk.nack('LDS', 'no');
      talk.pass(5_000);
      assert.equal(talk.rejection('LDS'), 'no');
      assert.deepEqual(talk.ack('LDS'), []);
      assert.equal(talk.rejection('LDS'), undefined);
      assert.deepEqual(talk.pass(600_000), []);
    });

    test('a try that is not answered is not followed by another', () => {
      const talk = new Talk(variant, { snapshot: { LDS: 'l@1' } });
      talk.ask('LDS');
      talk.nack('LDS', 'no');
      assert.deepEqual(talk.pass(5_000), ['LDS l@1']);
      assert.deepEqual(talk.pass(600_000), []);
    });

    test('the endpoints of a refused cluster follow it when it is tried again', () => {
      const talk = new Talk(variant, { snapshot: { CDS: 'a@1 b@1', EDS: 'a@1 b@1', LDS: 'l@1' } });
      talk.settle(talk.ask('CDS'));
      talk.settle(talk.ask('EDS', { names: ['a', 'b'], subscribe: ['a', 'b'] }));
      talk.settle(talk.ask('LDS'));
      const changed = { CDS: 'a@2 b@1', EDS: 'a@1 b@1', LDS: 'l@1' };
      const cds = full('CDS a@2', 'CDS a@2 b@1');
      assert.deepEqual(talk.serve(changed), [...cds, 'EDS a@1']);
      talk.ack('EDS');
      talk.nack('CDS', 'Error adding/updating cluster(s) a: not so');
      assert.deepEqual(talk.pass(5_000), [...cds, 'EDS a@1']);
    });

    test('other content starts with 5 s again', () => {
      const talk = new Talk(variant, { snapshot: { LDS: 'l@1' } });
      talk.ask('LDS');
      talk.nack('LDS', 'no');
      talk.pass(5_000);
      talk.nack('LDS', 'no');
      assert.deepEqual(talk.serve({ LDS: 'l@2' }), ['LDS l@2']);
      talk.nack('LDS', 'no');
      assert.deepEqual(talk.pass(5_000), ['LDS l@2']);
    });

    test('the removal of a refused listener is told, and ends the tries', () => {
      const talk = new Talk(variant, { snapshot: { LDS: 'bad@1 good@1' } });
      talk.ask('LDS');
      talk.nack('LDS', 'Error adding/updating listener(s) bad: cannot bind\n');
      assert.deepEqual(talk.settle(talk.serve({ LDS: 'good@1' })), full('LDS -bad', 'LDS good@1'));
      assert.deepEqual(talk.pass(600_000), []);
    });

    test('a refusal of clusters is tried again without the listeners', () => {
      const talk = new Talk(variant, { snapshot: { CDS: 'a@1', LDS: 'l@1' } });
      talk.ask('CDS');
      talk.settle(talk.ask('LDS'));
      talk.nack('CDS', 'no');
      assert.deepEqual(talk.pass(5_000), ['CDS a@1']);
    });
  });
}

test('delta: a refused removal is tried again', () => {
  const talk = new Talk('delta', { snapshot: { LDS: 'l@1 m@1' } });
  talk.settle(talk.ask('LDS'));
  assert.deepEqual(talk.serve({ LDS: 'm@1' }), ['LDS -l']);
  talk.nack('LDS', 'no');
  assert.deepEqual(talk.pass(5_000), ['LDS -l']);
  talk.nack('LDS', 'no');
  assert.deepEqual(talk.pass(9_999), []);
  assert.deepEqual(talk.pass(1), ['LDS -l']);
});
