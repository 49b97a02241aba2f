/** A client that comes back and asks for no clusters: Envoy, while one of its own is warming. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { UNASKED_LIMIT_MS } from '../../src/xds/stream.ts';
import { Talk, type Words } from './talk.ts';

const SPEC = { CDS: 'a@2! b@1!', EDS: 'a@1 b@1', LDS: 'a@1 b@1' };
const DRAIN_MS = 10_000;

const VARIANTS = [
  { variant: 'delta', back: { known: { a: '1' } }, whole: 'LDS b@1', gone: 'CDS -z' },
  { variant: 'state of the world', back: { version: 'older' }, whole: 'LDS a@1 b@1', gone: undefined },
] as const;

for (const { variant, back, whole, gone } of VARIANTS) {
  const talk = (): Talk => new Talk(variant, { snapshot: SPEC, drainMs: DRAIN_MS, mustAsk: false });
  const wants: Words = variant === 'delta' ? { subscribe: ['a'] } : { names: ['a'] };

  test(`${variant}: it is sent them all the same, not as new ones, and listeners behind them`, () => {
    const back1 = talk();
    assert.deepEqual(back1.ask('EDS', { ...wants, ...back }), ['EDS a@1']);
    assert.deepEqual(back1.ack('EDS'), []);
    assert.deepEqual(back1.ask('LDS', back), []);
    assert.deepEqual(back1.pass(UNASKED_LIMIT_MS - 1), []);
    // The endpoints of what may be another cluster now.
    assert.deepEqual(back1.pass(1), ['CDS a@2 b@1', 'EDS a@1', whole]);
    // From here on as ever.
    back1.pass(2_000);
    assert.deepEqual(
      back1.serve({ ...SPEC, CDS: 'a@2! b@1! c@1!' }),
      variant === 'delta' ? ['CDS c@1!'] : ['CDS a@2 b@1 c@1!'],
    );
  });

  test(`${variant}: what it then says of them itself counts`, () => {
    const back2 = talk();
    back2.ask('LDS', back);
    assert.equal(back2.pass(UNASKED_LIMIT_MS)[0], 'CDS a@2 b@1');
    back2.ack('LDS');
    const words = variant === 'delta' ? { known: { a: '2', b: '1', z: '1' } } : {};
    assert.deepEqual(back2.ack('CDS', words), []);
    assert.equal(
      back2.stream.outcomeOf('type.googleapis.com/envoy.config.cluster.v3.Cluster', 'a', '2')?.kind,
      'accepted',
    );
    assert.deepEqual(back2.pass(DRAIN_MS), gone === undefined ? [] : [gone]);
  });

  test(`${variant}: asked for in time they come as ever`, () => {
    const back3 = talk();
    assert.deepEqual(back3.ask('LDS', back), []);
    const said = back3.ask('CDS', variant === 'delta' ? { known: { a: '2' } } : { version: 'older' });
    assert.deepEqual(said, [variant === 'delta' ? 'CDS b@1!' : 'CDS a@2 b@1', whole]);
    back3.ack('CDS');
    back3.ack('LDS');
    assert.deepEqual(back3.pass(UNASKED_LIMIT_MS), []);
  });

  test(`${variant}: who has nothing yet may ask for listeners alone`, () => {
    const onlooker = talk();
    assert.deepEqual(onlooker.ask('LDS'), ['LDS a@1 b@1']);
    onlooker.ack('LDS');
    assert.deepEqual(onlooker.pass(UNASKED_LIMIT_MS), []);
  });

  test(`${variant}: a client that is no Envoy is sent what it asks for`, () => {
    const other = new Talk(variant, { snapshot: SPEC });
    other.ask('LDS', back);
    other.ack('LDS');
    assert.deepEqual(other.pass(UNASKED_LIMIT_MS), []);
  });
}
