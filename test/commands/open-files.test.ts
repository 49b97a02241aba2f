import assert from 'node:assert/strict';
import { test } from 'node:test';

import { roomForClients } from '../../src/commands/open-files.ts';

function limitsOf(files: string): string {
  return `Limit                     Soft Limit           Hard Limit           Units
Max processes             1024                 1024                 processes
Max open files            ${files}                 ${files}                 files
`;
}

test('where fewer files than clients may be open, as many clients are let in as leave some for Redis, which is told', () => {
  const { maxClients, warning } = roomForClients(10_000, 1, limitsOf('4096'));
  assert.equal(maxClients, 3_996);
  assert.match(
    warning ?? '',
    /may have 4096 files open, and --max-clients 10000 needs 10100: 3996 clients .*raise the limit .*or lower --max-clients/,
  );
  assert.equal(roomForClients(10_000, 1, limitsOf('64')).maxClients, 32);
});

test('workers have a limit each', () => {
  const { maxClients, maxOwnClients, warning } = roomForClients(10_000, 2, limitsOf('4096'));
  assert.deepEqual([maxClients, maxOwnClients], [7_992, 3_996]);
  assert.match(
    warning ?? '',
    /each of 2 workers may have 4096 files open, and --max-clients 10000 needs 5100/,
  );
  const enough = { maxClients: 10_000, maxOwnClients: 3_996, warning: undefined };
  assert.deepEqual(roomForClients(10_000, 3, limitsOf('4096')), enough);
});

test('files enough for all clients need no word', () => {
  for (const files of ['10100', 'unlimited']) {
    const { maxClients, warning } = roomForClients(10_000, 1, limitsOf(files));
    assert.deepEqual([maxClients, warning], [10_000, undefined]);
  }
});
