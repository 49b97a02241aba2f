import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));

test('only e2e/environment.ts skips tests, so that REDPILOT_REQUIRE can make each of them fail instead', () => {
  const files = globSync('**/*.ts', { cwd: here }).filter((file) => file !== 'e2e/environment.ts');
  const skipping = files.filter((file) =>
    /\b(?:\w+\.(?:skip|todo)\(|(?:skip|todo):)/.test(readFileSync(`${here}${file}`, 'utf8')),
  );
  assert.deepEqual(skipping, []);
});
