import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Fault } from '../../../src/api/objects.ts';
import { Faults } from '../../../src/proxy/client/faults.ts';

const OWN: Fault = { type: 'ERROR', percentage: 10, commands: ['get'], delayMs: undefined };
const GENERAL: Fault = { type: 'DELAY', percentage: 20, commands: [], delayMs: 5 };
const FAULTS = new Faults([GENERAL, OWN]);

const CASES: readonly (readonly [command: string, random: number, wanted: Fault | undefined])[] = [
  ['get', 0, OWN],
  ['get', 0.099, OWN],
  ['get', 0.1, GENERAL],
  ['get', 0.299, GENERAL],
  ['get', 0.3, undefined],
  ['set', 0, GENERAL],
  ['set', 0.2, undefined],
];

for (const [command, random, wanted] of CASES) {
  test(`${command}, drawn ${random}, has ${wanted === undefined ? 'no fault' : wanted.type}`, () => {
    assert.equal(FAULTS.draw(command, random), wanted);
  });
}
