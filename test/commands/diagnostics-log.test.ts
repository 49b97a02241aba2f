import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pino } from 'pino';

import type { Diagnostic } from '../../src/api/diagnostic.ts';
import { DiagnosticsLog } from '../../src/commands/diagnostics-log.ts';

function diagnostic(message: string): Diagnostic {
  return {
    severity: 'warning',
    reason: 'InvalidValue',
    object: { kind: 'RedisService', namespace: 'redis', name: 'a' },
    path: [],
    message,
  };
}

/** The log, and what it has said since it was last asked. */
function kept(): { log: DiagnosticsLog; said: () => string[] } {
  const lines: string[] = [];
  const log = new DiagnosticsLog(
    pino({ base: null, timestamp: false }, { write: (line: string) => void lines.push(line) }),
  );
  return {
    log,
    said: () => {
      log.tell();
      return lines.splice(0).map((line) => {
        const { msg } = JSON.parse(line) as { msg: string };
        return `${msg.startsWith('no longer') ? '- ' : '+ '}${/(one|two)$/m.exec(msg)?.[0]}`;
      });
    },
  };
}

test('what is new is said once, and once more when it is no longer so', () => {
  const { log, said } = kept();
  log.set('source', [diagnostic('one')]);
  assert.deepEqual(said(), ['+ one']);
  log.set('source', [diagnostic('one'), diagnostic('two')]);
  assert.deepEqual(said(), ['+ two']);
  log.set('source', [diagnostic('two')]);
  assert.deepEqual(said(), ['- one']);
  assert.deepEqual(said(), []);
});

test('what two say is said once, and is so until neither says it', () => {
  const { log, said } = kept();
  log.set('plan a', [diagnostic('one')]);
  log.set('plan b', [diagnostic('one')]);
  assert.deepEqual(said(), ['+ one']);
  log.set('plan a', []);
  assert.deepEqual(said(), []);
  log.set('plan b', []);
  assert.deepEqual(said(), ['- one']);
});

for (const [severity, expected] of [
  ['note', []],
  ['warning', []],
  ['error', ['+ one', '- one']],
] as const) {
  test(`${severity}s that move with the lines of their file are ${expected.length > 0 ? 'said again' : 'no news'}`, () => {
    const { log, said } = kept();
    const at = (line: number): Diagnostic => ({
      ...diagnostic('one'),
      severity,
      position: { file: 'a.yaml', line, column: 1 },
    });
    log.set('plan a', [at(1)]);
    said();
    log.set('plan a', [at(2)]);
    assert.deepEqual(said(), expected);
  });
}

test('what comes and goes between two tellings is not said', () => {
  const { log, said } = kept();
  log.set('plan a', [diagnostic('one')]);
  log.set('plan a', []);
  assert.deepEqual(said(), []);
  log.set('plan a', [diagnostic('one')]);
  said();
  log.set('plan a', []);
  log.set('plan a', [diagnostic('one')]);
  assert.deepEqual(said(), []);
});

test('owners of a kind that are not named have nothing to say any more', () => {
  const { log, said } = kept();
  log.set('plan a', [diagnostic('one')]);
  log.setAll('view', new Map([['x', [diagnostic('two')]]]));
  assert.deepEqual(said(), ['+ one', '+ two']);
  log.setAll('view', new Map());
  assert.deepEqual(said(), ['- two']);
});

test('of thousands that come together, and go together, some are said and the others counted', () => {
  const lines: string[] = [];
  const log = new DiagnosticsLog(
    pino({ base: null, timestamp: false }, { write: (line: string) => void lines.push(line) }),
  );
  const all = Array.from({ length: 5_000 }, (_, index) => diagnostic(`number ${index}`));
  const other: Diagnostic = { ...diagnostic('other'), reason: 'Duplicate' };
  log.set('source', [...all, other]);
  log.tell();
  assert.equal(lines.length, 22);
  assert.match(lines.join(''), /Duplicate.*other/);
  assert.match(lines.at(-1) ?? '', /InvalidValue.*4980 more like these/);
  lines.length = 0;
  log.set('source', []);
  log.tell();
  assert.equal(lines.length, 21, 'what was not said is not taken back');
});
