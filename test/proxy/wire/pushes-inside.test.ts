import assert from 'node:assert/strict';
import { test } from 'node:test';

import { takeApart } from '../../../src/proxy/wire/pushes-inside.ts';

for (const push of [
  '>2\r\n+a\r\n*1\r\n$4\r\n>1\r\n\r\n',
  '>2\r\n+a\r\n>1\r\n:1\r\n:2\r\n',
  '>1\r\n>1\r\n:1\r\n:2\r\n',
]) {
  test(`${JSON.stringify(push)} inside of a reply is taken out whole`, () => {
    const seen: string[] = [];
    const hearer = {
      pushed: (bytes: Uint8Array, start: number, end: number) =>
        void seen.push(Buffer.from(bytes.subarray(start, end)).toString()),
    };
    const reply = `*3\r\n:8\r\n${push}$-1\r\n*1\r\n$2\r\n\r\n\r\n${push}`;
    takeApart(Buffer.from(reply), hearer, (bytes, length) => seen.push(bytes.toString('utf8', 0, length)));
    assert.deepEqual(seen, ['*3\r\n:8\r\n$-1\r\n*1\r\n$2\r\n\r\n\r\n', push, push]);
  });
}
