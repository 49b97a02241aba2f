import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Screen, type Shown } from '../../src/demo/screen.ts';

// Whatever the tests run in.
process.env['TERM'] = 'xterm';

const shown: Shown = {
  policy: 'REPLICA',
  rows: [
    { name: '127.0.0.1:7000', shard: 1, counts: { role: 'primary', reads: 0, writes: 50, refusedWrites: 0 } },
    {
      name: '127.0.0.1:7001',
      shard: 1,
      counts: { role: 'replica', reads: 400, writes: 0, refusedWrites: 0 },
    },
  ],
  unit: '/s',
  elapsed: 3,
  footer: 'the end',
};

function screenTo(isTTY: boolean, rows?: number): { readonly screen: Screen; readonly text: () => string } {
  let text = '';
  const out = { isTTY, ...(rows === undefined ? {} : { rows }), write: (more: string) => (text += more) };
  return { screen: new Screen(out, () => new Date(2030, 0, 1, 12, 3, 4)), text: () => text };
}

test('without a terminal each second is one line, and an event is said at once with its time', () => {
  const { screen, text } = screenTo(false);
  screen.show(shown);
  screen.event('readPolicy REPLICA -> ANY, in Envoy');
  assert.equal(
    text(),
    '3 s REPLICA: reads/s 0 on primaries, 400 on replicas; writes/s 50 on primaries, 0 on replicas\n' +
      '12:03:04 readPolicy REPLICA -> ANY, in Envoy\n',
  );
});

test('on a terminal an event waits for the table, which is drawn over the one before', () => {
  const { screen, text } = screenTo(true);
  screen.show(shown);
  const lines = text().split('\n').length - 2;
  const drawn = text().length;
  screen.event('something happened');
  assert.equal(text().length, drawn);
  screen.show(shown);
  const second = text().slice(drawn);
  assert.ok(second.startsWith(`\x1b[${lines}A\r`), JSON.stringify(second.slice(0, 10)));
  assert.match(second, /12:03:04 something happened\n/);
});

test('before there is a table an event is said at once', () => {
  const { screen, text } = screenTo(true);
  screen.event('something happened');
  assert.match(text(), /12:03:04 something happened\n$/);
});

test('a step says how long it took, and a failed one leaves its error to who called it', async () => {
  const { screen, text } = screenTo(false);
  assert.equal(await screen.step('Envoy', async () => 7), 7);
  assert.match(text(), /^ {2}Envoy: 0\.\d s\n$/);
  await assert.rejects(
    screen.step('Envoy', () => Promise.reject(new Error('no'))),
    /^Error: no$/,
  );
});

test('a terminal that is lower than the table gets a line a second', () => {
  const { screen, text } = screenTo(true, 6);
  screen.show(shown);
  assert.match(text(), /^3 s REPLICA: reads\/s 0 on primaries, .*\n$/);
});

test('a dumb terminal is none', (t) => {
  process.env['TERM'] = 'dumb';
  t.after(() => {
    process.env['TERM'] = 'xterm';
  });
  const { screen, text } = screenTo(true);
  screen.show(shown);
  assert.match(text(), /^3 s REPLICA: .*\n$/);
});
