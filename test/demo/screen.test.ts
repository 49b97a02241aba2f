import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';

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

function screenTo(
  isTTY: boolean,
  size: { readonly rows?: number; readonly columns?: number } = {},
): { readonly screen: Screen; readonly text: () => string } {
  let text = '';
  const out = { isTTY, ...size, write: (more: string) => (text += more) };
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
  const { screen, text } = screenTo(true, { rows: 6 });
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

const mistake =
  'objects.yaml:13:5: RedisService redis/redis-cluster: spec.settings.readPolicy: "REPLICAS" is not a read policy; write REPLICA';

/** Lines as a terminal has them, without colours and what else it is told. */
function seen(text: string): readonly string[] {
  return stripVTControlCharacters(text.replaceAll('\x1b[?7l', '').replaceAll('\x1b[?7h', '')).split('\n');
}

test('what is wrong is read to its end on a narrow terminal, and no line is longer than that', () => {
  const { screen, text } = screenTo(true, { rows: 24, columns: 50 });
  screen.event(mistake);
  const before = text().length;
  screen.show(shown);
  const lines = seen(text().slice(before));
  assert.deepEqual(
    lines.filter((line) => line.length > 50),
    [],
  );
  assert.ok(
    lines
      .map((line) => line.trim())
      .join(' ')
      .includes(mistake),
    lines.join('\n'),
  );
});

test('where not all that happened fits below the table, the latest does', () => {
  const { screen, text } = screenTo(true, { rows: 12, columns: 80 });
  screen.event('first');
  screen.event(mistake);
  const before = text().length;
  screen.show(shown);
  const lines = seen(text().slice(before));
  assert.ok(lines.includes('readPolicy REPLICA'), lines.join('\n'));
  assert.ok(
    lines.some((line) => line.endsWith('write REPLICA')),
    lines.join('\n'),
  );
  assert.ok(!lines.some((line) => line.endsWith('first')), lines.join('\n'));
});
