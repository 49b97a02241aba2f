import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Request, finishRequest } from '../../../src/proxy/wire/request.ts';
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

function ofAClient(count: number): readonly Request[] {
  const sink = { deliver: () => {} };
  return Array.from({ length: count }, () => Object.assign(new Request(), { sink }));
}

/** In which order they are sent that can be, once those before them are answered. */
function sentOf(lines: WaitingLines): readonly Request[] {
  const sent: Request[] = [];
  const carrier: Carrier = { send: (request) => sent.push(request) > 0, giveUp: () => assert.fail() };
  for (let count = -1; count < sent.length;) {
    count = sent.length;
    lines.retry(performance.now(), carrier);
    for (const request of sent.slice(count)) finishRequest(request);
  }
  return sent;
}

test('what comes once all before it is answered waits for nobody', () => {
  const lines = new WaitingLines();
  const [first, second] = ofAClient(2);
  lines.noteUnderWay(first!, false);
  assert.ok(lines.isBehind(second!));
  finishRequest(first!);
  assert.ok(!lines.isBehind(second!));
});

test('of what waits is known whether it waits for replies, which may come at any time', () => {
  const lines = new WaitingLines();
  const [first, second] = ofAClient(2);
  assert.equal(lines.add(first!, Infinity, undefined), false);
  lines.noteUnderWay(first!, false);
  assert.equal(lines.add(second!, Infinity, undefined), true);
});

test('parts of a command, all older than what waits for it, are sent again in their order', () => {
  const lines = new WaitingLines();
  const [one, two, later] = ofAClient(3);
  lines.add(later!, Infinity, undefined);
  for (const part of [one!, two!]) lines.noteUnderWay(part, true);
  for (const part of [one!, two!]) lines.add(part, Infinity, {});
  assert.ok(sentOf(lines).every((request, index) => request === [one, two, later][index]));
});

test('a request that is another command by now has no claim to the place of the former', () => {
  const lines = new WaitingLines();
  const [first, second, third] = ofAClient(3);
  for (const request of [first!, second!, third!]) lines.noteUnderWay(request, false);
  finishRequest(second!);
  lines.add(third!, Infinity, {});
  lines.add(second!, Infinity, {});
  finishRequest(first!);
  assert.ok(sentOf(lines).every((request, index) => request === [third, second][index]));
});

test('once all is answered nothing is kept of it', () => {
  const lines = new WaitingLines();
  const [first, second] = ofAClient(2);
  lines.add(first!, Infinity, undefined);
  lines.noteUnderWay(second!, false);
  assert.ok(!lines.isEmpty);
  finishRequest(second!);
  sentOf(lines);
  assert.ok(lines.isEmpty);
});
