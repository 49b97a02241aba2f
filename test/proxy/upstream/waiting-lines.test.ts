import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Request } from '../../../src/proxy/wire/request.ts';
import type { Carrier } from '../../../src/proxy/upstream/waiting-line.ts';
import { WaitingLines } from '../../../src/proxy/upstream/waiting-lines.ts';

interface Scene {
  readonly lines: WaitingLines;
  readonly first: Request;
  readonly second: Request;
  readonly sent: readonly string[];
  readonly carrier: Carrier;
}

/** Two commands of a client; the first is sent, the second one waits for a minute. */
function twoOfAClient(): Scene {
  const client = { deliver: () => {} };
  const [first, second] = [new Request(), new Request()];
  for (const request of [first, second]) request.sink = client;
  const sent: string[] = [];
  const carrier: Carrier = {
    send: (request) => sent.push(request === first ? 'first' : 'second') > 0,
    giveUp: () => assert.fail(),
  };
  const lines = new WaitingLines();
  lines.add(first, Infinity, {});
  lines.add(second, Infinity, { delayMs: 60_000 });
  lines.retry(performance.now(), carrier);
  return { lines, first, second, sent, carrier };
}

test('what waits does so also where its keys are elsewhere by now, until what is older is answered', () => {
  const { lines, first, second, sent, carrier } = twoOfAClient();
  for (const request of [first, second]) request.place = 1;
  lines.placeAnew({ place: () => true, tear: () => assert.fail(), giveUp: () => assert.fail() });
  lines.retry(performance.now() + 120_000, carrier);
  assert.deepEqual(sent, ['first']);
  lines.add(first, Infinity, {});
  lines.retry(performance.now() + 120_000, carrier);
  assert.deepEqual(sent, ['first', 'first', 'second']);
});

test('of what is under way where its keys are elsewhere by now, the older goes first that is refused first', () => {
  const client = { deliver: () => {} };
  const [first, second] = [new Request(), new Request()];
  const lines = new WaitingLines();
  for (const request of [first, second]) {
    request.sink = client;
    lines.noteUnderWay(request, false);
  }
  lines.add(first, Infinity, {});
  for (const request of [first, second]) request.place = 1;
  lines.placeAnew({ place: () => true, tear: () => assert.fail(), giveUp: () => assert.fail() });
  lines.add(second, Infinity, {});
  const sent: Request[] = [];
  lines.retry(performance.now(), { send: (request) => sent.push(request) > 0, giveUp: () => assert.fail() });
  assert.ok(sent[0] === first);
  assert.ok(sent[1] === second);
});

test('what is refused again stays before what waits behind it', () => {
  const { lines, first, sent, carrier } = twoOfAClient();
  lines.add(first, Infinity, {});
  lines.retry(performance.now() + 120_000, carrier);
  assert.deepEqual(sent, ['first', 'first', 'second']);
});
