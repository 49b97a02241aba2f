import assert from 'node:assert/strict';
import { test } from 'node:test';

import { takeApart } from '../../../src/proxy/wire/pushes-inside.ts';

/** Of a reply with pushes inside: the reply without them, and they, in the order in which they are told. */
function taken(reply: string): readonly string[] {
  const seen: string[] = [];
  const hearer = {
    pushed: (bytes: Uint8Array, start: number, end: number) =>
      void seen.push(Buffer.from(bytes.subarray(start, end)).toString()),
  };
  takeApart(Buffer.from(reply), hearer, (bytes, length) => seen.push(bytes.toString('utf8', 0, length)));
  return seen;
}

for (const push of [
  '>2\r\n+a\r\n*1\r\n$4\r\n>1\r\n\r\n',
  '>2\r\n+a\r\n>1\r\n:1\r\n:2\r\n',
  '>1\r\n>1\r\n:1\r\n:2\r\n',
]) {
  test(`${JSON.stringify(push)} inside of a reply is taken out whole`, () => {
    const reply = `*3\r\n:8\r\n${push}$-1\r\n*1\r\n$2\r\n\r\n\r\n${push}`;
    assert.deepEqual(taken(reply), ['*3\r\n:8\r\n$-1\r\n*1\r\n$2\r\n\r\n\r\n', push, push]);
  });
}

for (const type of ['$', '!', '=']) {
  test(`what stands in a value (${type}) is no push, whatever it begins with`, () => {
    const text = 'x\r\n>1\r\n$1\r\nx\r\n';
    const value = `${type}${text.length}\r\n${text}\r\n`;
    const push = '>1\r\n+a\r\n';
    assert.deepEqual(taken(`*2\r\n${value}${push}${value}`), [`*2\r\n${value}${value}`, push]);
  });
}

test('pushes inside of a reply are told in their order', () => {
  const [one, two] = ['>1\r\n+a\r\n', '>1\r\n+b\r\n'];
  assert.deepEqual(taken(`*2\r\n${one}:1\r\n${two}:2\r\n`), ['*2\r\n:1\r\n:2\r\n', one, two]);
});
