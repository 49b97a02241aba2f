import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Partial } from '../../../src/proxy/wire/partial.ts';
import { completeReply } from '../../../src/proxy/wire/partial-reply.ts';
import { ReplyScanner } from '../../../src/redis/reply-scanner.ts';

const REPLIES: readonly (readonly [what: string, reply: string])[] = [
  ['many short values', `*200\r\n${'$3\r\nabc\r\n:1\r\n'.repeat(100)}`],
  ['one long value', `$5000\r\n${'x'.repeat(5_000)}\r\n`],
  ['long values among short ones', `*30\r\n${`:1\r\n$700\r\n${'x'.repeat(700)}\r\n_\r\n`.repeat(10)}`],
];

for (const [what, reply] of REPLIES) {
  test(`${what}: a reply in pieces ends where it ends, whatever is behind it`, () => {
    const bytes = Buffer.from(`${reply}+next\r\n`.repeat(2));
    for (const pieceBytes of [1, 63, 64, 65, 500, 4_096, bytes.length]) {
      for (const begun of [1, 100, reply.length - 1]) {
        const [partial, scanner] = [new Partial(), new ReplyScanner()];
        assert.equal(scanner.scan(bytes, 0, begun), 0);
        partial.append(bytes, 0, begun);
        let end = 0;
        for (let at = begun; end === 0; at += pieceBytes) {
          const piece = bytes.subarray(at, at + pieceBytes);
          end = completeReply(partial, scanner, piece, piece.length);
        }
        assert.equal(end, reply.length, `in pieces of ${pieceBytes} bytes behind ${begun}`);
        assert.equal(partial.bytes.toString('latin1', 0, end), reply);
      }
    }
  });
}
