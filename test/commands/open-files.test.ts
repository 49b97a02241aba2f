import assert from 'node:assert/strict';
import { test } from 'node:test';

import { openFilesWarning } from '../../src/commands/open-files.ts';

function limitsOf(files: string): string {
  return `Limit                     Soft Limit           Hard Limit           Units
Max processes             1024                 1024                 processes
Max open files            ${files}                 ${files}                 files
`;
}

test('fewer files than clients may come is told, with what to do', () => {
  assert.match(
    openFilesWarning(10_000, limitsOf('4096')) ?? '',
    /may have 4096 files open, and --max-clients 10000 needs 10100: .*raise the limit .*or lower --max-clients/,
  );
});

test('files enough for all clients need no word', () => {
  assert.equal(openFilesWarning(10_000, limitsOf('10100')), undefined);
  assert.equal(openFilesWarning(10_000, limitsOf('unlimited')), undefined);
});
