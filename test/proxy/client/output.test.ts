import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Output } from '../../../src/proxy/client/output.ts';

test('messages that the kernel has taken wait no more, though those behind them do', () => {
  const output = new Output();
  // One whose client takes everything, and never all at once.
  const writer = { isBehind: true, isEncrypting: false, waiting: 1, write: () => false };
  output.appendMessage(Buffer.from('first'));
  output.flush(writer as never);
  assert.equal(output.messageBytes, 5);
  output.appendMessage(Buffer.from('last'));
  assert.equal(output.messageBytes, 9);
  output.flush(writer as never);
  assert.equal(output.messageBytes, 4);
  writer.isBehind = false;
  output.flush(writer as never);
  assert.equal(output.messageBytes, 0);
});
