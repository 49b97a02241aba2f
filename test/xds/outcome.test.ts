/**
 * What a client made of one version of a resource.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { CLUSTER_TYPE, LISTENER_TYPE } from '../../src/envoy/resource.ts';
import { Talk } from './talk.ts';

/** More versions than responses are remembered that one client leaves without an answer. */
const CHANGES = Array.from({ length: 19 }, (_, index) => index + 2);

function outcomeOf(talk: Talk, name: string, version: string): string | undefined {
  const outcome = talk.stream.outcomeOf(LISTENER_TYPE, name, version);
  return outcome?.kind === 'rejected' ? outcome.message : outcome?.kind;
}

for (const variant of ['state of the world', 'delta'] as const) {
  describe(variant, () => {
    test('nothing is known before the client asks for the type', () => {
      const talk = new Talk(variant, { snapshot: { LDS: 'l@1' } });
      assert.equal(outcomeOf(talk, 'l', '1'), undefined);
    });

    test('sent, then acknowledged', () => {
      const talk = new Talk(variant, { snapshot: { LDS: 'l@1' } });
      talk.ask('LDS');
      assert.equal(outcomeOf(talk, 'l', '1'), 'pending');
      talk.ack('LDS');
      assert.equal(outcomeOf(talk, 'l', '1'), 'accepted');
      assert.equal(outcomeOf(talk, 'l', '2'), 'pending');
    });

    test('the good ones of a refused response are accepted', () => {
      const talk = new Talk(variant, { snapshot: { LDS: 'good@1 bad@1' } });
      talk.ask('LDS');
      talk.nack('LDS', 'Error adding/updating listener(s) bad: cannot bind\n');
      assert.equal(outcomeOf(talk, 'good', '1'), 'accepted');
      assert.match(outcomeOf(talk, 'bad', '1') ?? '', /cannot bind/);
    });

    test('of several refused clusters, which Envoy names in one line, each is refused', () => {
      const talk = new Talk(variant, { snapshot: { CDS: 'a@1 b@1 c@1' } });
      talk.ask('CDS');
      talk.nack('CDS', 'Error adding/updating cluster(s) a: no seeds, no life., c: no policy');
      const outcomes = ['a', 'b', 'c'].map((name) => talk.stream.outcomeOf(CLUSTER_TYPE, name, '1'));
      assert.deepEqual(outcomes, [
        { kind: 'rejected', message: 'no seeds, no life.' },
        { kind: 'accepted' },
        { kind: 'rejected', message: 'no policy' },
      ]);
      const again = variant === 'delta' ? 'CDS a@1 c@1' : 'CDS a@1 b@1 c@1';
      assert.deepEqual(talk.pass(5_000), [again]);
    });

    test('a refusal lasts until its retry is accepted', () => {
      const talk = new Talk(variant, { snapshot: { LDS: 'l@1' } });
      talk.ask('LDS');
      talk.nack('LDS', 'no');
      talk.pass(5_000);
      assert.equal(outcomeOf(talk, 'l', '1'), 'no');
      talk.ack('LDS');
      assert.equal(outcomeOf(talk, 'l', '1'), 'accepted');
    });

    test('what has long been sent stays pending while nothing is answered', () => {
      const talk = new Talk(variant, { snapshot: { LDS: 'a@1 b@1' } });
      talk.ask('LDS');
      for (const version of CHANGES) {
        talk.pass(1_500);
        talk.serve({ LDS: `a@1 b@${version}` });
      }
      assert.deepEqual([outcomeOf(talk, 'a', '1'), outcomeOf(talk, 'b', '20')], ['pending', 'pending']);
    });

    test('what has not changed stays accepted while a response is unanswered', () => {
      const talk = new Talk(variant, { snapshot: { LDS: 'a@1 b@1' } });
      talk.settle(talk.ask('LDS'));
      talk.serve({ LDS: 'a@1 b@2' });
      assert.deepEqual([outcomeOf(talk, 'a', '1'), outcomeOf(talk, 'b', '2')], ['accepted', 'pending']);
    });
  });
}

test('delta: what a client brings along when it reconnects is accepted', () => {
  const talk = new Talk('delta', { snapshot: { LDS: 'a@1 b@2' } });
  talk.ask('LDS', { known: { a: '1', b: '1' } });
  assert.deepEqual([outcomeOf(talk, 'a', '1'), outcomeOf(talk, 'b', '2')], ['accepted', 'pending']);
});

test('delta: a refusal counts however many responses came after it', () => {
  const talk = new Talk('delta', { snapshot: { LDS: 'bad@1 b@1' } });
  talk.ask('LDS');
  for (const version of CHANGES) {
    talk.pass(1_500);
    talk.serve({ LDS: `bad@1 b@${version}` });
  }
  const [first] = talk.responses;
  talk.ask('LDS', { nonce: first?.nonce ?? '', error: 'bad: cannot bind' });
  assert.equal(outcomeOf(talk, 'bad', '1'), 'cannot bind');
  talk.ack('LDS');
  assert.deepEqual([outcomeOf(talk, 'bad', '1'), outcomeOf(talk, 'b', '20')], ['cannot bind', 'accepted']);
});
