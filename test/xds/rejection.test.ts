import assert from 'node:assert/strict';
import { test } from 'node:test';

import { blamedNames, withoutContents, wordsByName } from '../../src/xds/rejection.ts';

const blames: [message: string, names: string[], expected: string[]][] = [
  [
    "Error adding/updating listener(s) bad: cannot bind '127.0.0.1:25005': Address already in use\n",
    ['good', 'bad'],
    ['bad'],
  ],
  ['Error adding/updating listener(s) a: one\nmore of it\nc: two\n', ['a', 'b', 'c'], ['a', 'c']],
  ['Error adding/updating cluster(s) c1: duplicate cluster c1 found', ['c1', 'c2'], ['c1']],
  [
    "Error adding/updating cluster(s) a:1: cluster 'a:1' did not provide one. Check it., c:1: no, not so",
    ['a:1', 'b:1', 'c:1'],
    ['a:1', 'c:1'],
  ],
  [
    'bad3: goo.gle/debugproto name: "bad3"\n: Proto constraint validation failed (x)\n',
    ['bad', 'bad3'],
    ['bad3'],
  ],
  ['name: "cbad"\n Proto constraint validation failed (x)', ['cbad', 'other'], ['cbad', 'other']],
  ['a: one\nb: tw...(truncated)', ['a', 'b', 'c'], ['a', 'b', 'c']],
  ['outbound|6379||redis: no', ['outbound|6379||redis', 'redis'], ['outbound|6379||redis']],
  ['', ['a'], ['a']],
];

for (const [message, names, expected] of blames) {
  test(`of ${names.join()} it is ${expected.join()} that ${JSON.stringify(message.slice(0, 40))} means`, () => {
    assert.deepEqual(blamedNames(message, names), expected);
  });
}

const words: [message: string, names: string[], expected: [string, string][]][] = [
  [
    "Error adding/updating listener(s) other: bad value\nl: cannot bind '127.0.0.1:6379': Address already in use\n",
    ['l', 'other'],
    [
      ['l', "cannot bind '127.0.0.1:6379': Address already in use"],
      ['other', 'bad value'],
    ],
  ],
  [
    'Error adding/updating cluster(s) a: no, not so., b: neither: no',
    ['a', 'b', 'c'],
    [
      ['a', 'no, not so.'],
      ['b', 'neither: no'],
    ],
  ],
  ['unable to decode', ['a'], []],
];

for (const [message, names, expected] of words) {
  test(`${JSON.stringify(message.slice(0, 40))} says ${expected.length} things of ${names.join()}`, () => {
    assert.deepEqual(wordsByName(message, names), new Map(expected));
  });
}

test('a message that is nothing but beginnings of lines, or of what may be names, is read in one pass', () => {
  const names = Array.from({ length: 2_000 }, (_, index) => `cache-${index}`);
  for (const part of ['\n', ', ', ', : ', 'a: \n']) {
    const startedMs = performance.now();
    assert.deepEqual(blamedNames(part.repeat(1_000_000 / part.length), names), names);
    const tookMs = performance.now() - startedMs;
    // Name by name and line by line it would be minutes.
    assert.ok(tookMs < 5_000, `${JSON.stringify(part)} took ${tookMs} ms`);
  }
});

const FAILED =
  'Proto constraint validation failed (ClusterValidationError.ConnectTimeout: value must be greater than 0s)';
const contents: [message: string, expected: string][] = [
  [
    "l: cannot bind '127.0.0.1:25005': Address already in use\n",
    "l: cannot bind '127.0.0.1:25005': Address already in use",
  ],
  [
    "good2: error adding listener: 'good2' has duplicate address",
    "good2: error adding listener: 'good2' has duplicate address",
  ],
  [`name: "cbad"\nauth { inline_string: "hunter2" }\n: ${FAILED}`, `(contents left out): ${FAILED}`],
  [`b: goo.gle/debugproto   x: "hunter2"\n: ${FAILED}\nc: no`, `b: (contents left out): ${FAILED}\nc: no`],
  [`b: debugstr connect_timeout {\n} p:"hunter2"\n: ${FAILED}`, `b: (contents left out): ${FAILED}`],
  [`b: {"p": "hunter2"} ${FAILED}`, `b: (contents left out) ${FAILED}`],
  ['b: goo.gle/debugproto name: "b" p: "hunter2...(truncated)', 'b: (contents left out)'],
  [
    `b: name: "b" p: "x"\n: ${FAILED}\nc: name: "c" p: "hunter2"`,
    `b: (contents left out): ${FAILED}\nc: (contents left out)`,
  ],
];

for (const [message, expected] of contents) {
  test(`${JSON.stringify(message.slice(0, 40))} is shown without contents of resources`, () => {
    assert.equal(withoutContents(message), expected);
  });
}
