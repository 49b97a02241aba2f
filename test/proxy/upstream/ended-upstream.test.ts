import assert from 'node:assert/strict';
import { test } from 'node:test';

import { encodeCommand } from '../../../src/proxy/wire/encode.ts';
import { takeRequest } from '../../../src/proxy/wire/request.ts';
import { TwoNodes } from '../two-nodes.ts';

class Unreachable extends TwoNodes {
  nodeFor(): null {
    return null;
  }
}

test('who asks an upstream that has ended is told that there is nobody', async () => {
  const upstream = new Unreachable({ hedgeAfterMs: 100, failoverWaitMs: 4_000 }, 1, 1);
  upstream.close();
  const request = takeRequest();
  const bytes = encodeCommand('SET', 'k', '1');
  const reply = await new Promise<string>((resolve) => {
    request.sink = {
      deliver: (_, told, start, end) => resolve(Buffer.from(told.subarray(start, end)).toString()),
    };
    upstream.send(request, bytes, 0, bytes.length);
  });
  assert.equal(reply, '-no upstream host\r\n');
});
