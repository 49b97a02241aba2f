import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ReplyScanner } from '../../src/redis/reply-scanner.ts';

const REPLIES = [
  '+OK\r\n',
  '-ERR no\r\n',
  ':-12\r\n',
  '$3\r\nabc\r\n',
  '$0\r\n\r\n',
  '$-1\r\n',
  '*-1\r\n',
  '*0\r\n',
  '*3\r\n$1\r\na\r\n$-1\r\n*2\r\n:1\r\n*1\r\n+x\r\n',
  '*3\r\n*-1\r\n*0\r\n*1\r\n*-1\r\n',
  '*3\r\n!5\r\nERR x\r\n=19\r\ntxt:of one sentence\r\n%0\r\n',
  // All bits of digits.
  `$78\r\n${'x'.repeat(78)}\r\n`,
  `*69\r\n${':1\r\n'.repeat(69)}`,
  '_\r\n',
  '#t\r\n',
  ',1.5\r\n',
  ',inf\r\n',
  '(3492890328409238509324850943850943825024385\r\n',
  '!5\r\nERR x\r\n',
  '=7\r\ntxt:a\r\n\r\n',
  '%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n',
  '~2\r\n:1\r\n:2\r\n',
  '>2\r\n+message\r\n$1\r\nx\r\n',
  '|1\r\n+ttl\r\n:3600\r\n$3\r\nabc\r\n',
  `${'*1\r\n'.repeat(1_000)}:1\r\n`,
];

/** As Redis 6.2.5 answers EXEC and MGET. */
const PUSH = '>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n';
const WITH_PUSHES = [`*2\r\n${PUSH}+OK\r\n$1\r\n2\r\n`, `*2\r\n:1\r\n*2\r\n${PUSH}_\r\n${PUSH}_\r\n`];

for (const reply of [...REPLIES, ...WITH_PUSHES]) {
  const sign = WITH_PUSHES.includes(reply) ? -1 : 1;
  test(`${JSON.stringify(reply.slice(0, 40))} ends where it ends, wherever it is cut`, () => {
    const bytes = Buffer.from(`xx${reply}+next\r\n`);
    const end = 2 + reply.length;
    for (let cut = 2; cut <= end; cut++) {
      const scanner = new ReplyScanner();
      const first = scanner.scan(bytes, 2, cut);
      if (cut === end) {
        assert.equal(first, sign * end);
        continue;
      }
      assert.equal(first, 0, `complete at ${cut} already`);
      assert.ok(scanner.missingBytes(cut - 2) <= end - cut, `more is said to be missing than is at ${cut}`);
      // The rest is looked at where the reply was moved to.
      const moved = Buffer.concat([Buffer.from('yyyyy'), bytes.subarray(2)]);
      const begin = 5 + reply.length;
      assert.equal(scanner.scan(moved, 5, moved.length), sign * begin, `cut at ${cut}`);
      assert.equal(scanner.scan(moved, begin, moved.length - 1), 0);
      assert.equal(scanner.scan(moved, begin, moved.length), moved.length);
    }
  });
}

for (const [begin, missing] of [
  ['$100\r\nabc', 99],
  ['*2\r\n:1\r\n=100\r\ntxt', 99],
  ['!100\r\n', 102],
] as const) {
  test(`of the string of ${JSON.stringify(begin)} it is known how much is missing`, () => {
    const scanner = new ReplyScanner();
    assert.equal(scanner.scan(Buffer.from(`xx${begin}`), 2, 2 + begin.length), 0);
    assert.equal(scanner.missingBytes(begin.length), missing);
  });
}

for (const reply of [
  '?\r\n',
  'HTTP/1.1 400 Bad Request\r\n',
  '%x\r\n',
  '=x\r\n',
  '$3x\r\nabc\r\n',
  '*x\r\n',
  // Next to the digits; with the last of them the specification begins what comes in pieces, as no server sends it.
  '*/\r\n',
  '*1:\r\n',
  '~1:\r\n',
  '$?\r\n;1\r\na\r\n;0\r\n',
  '*?\r\n:1\r\n.\r\n',
  '%?\r\n+a\r\n:1\r\n.\r\n',
  // A length that would lead back to where it stands, and before.
  '*9\r\n$*\r\n',
  '+OK\r\n+OK\r\n$%%\r\n',
]) {
  test(`${JSON.stringify(reply)} is no reply`, () => {
    const bytes = Buffer.from(reply);
    const scanner = new ReplyScanner();
    let end = 0;
    for (let at = 0; (end = scanner.scan(bytes, at, bytes.length)) > at;) at = end;
    assert.equal(end, -1);
  });
}

test('a line without end is looked through once, however it comes', () => {
  const bytes = Buffer.from(`+${'x'.repeat(100_000)}\r\n`);
  let looks = 0;
  const watched = new Proxy(bytes, {
    get(target, at) {
      looks += 1;
      return Reflect.get(target, at) as unknown;
    },
  });
  const scanner = new ReplyScanner();
  for (let end = 64; end < bytes.length; end += 64) assert.equal(scanner.scan(watched, 0, end), 0);
  assert.equal(scanner.scan(watched, 0, bytes.length), bytes.length);
  assert.ok(looks < 1.2 * bytes.length, `${looks} looks at ${bytes.length} bytes`);
});

for (const type of ['$', '*', ':']) {
  test(`a number that does not end is none (${type})`, () => {
    const bytes = Buffer.from(`${type}${'1'.repeat(100)}`);
    assert.equal(new ReplyScanner().scan(bytes, 0, bytes.length), -1);
  });
}
