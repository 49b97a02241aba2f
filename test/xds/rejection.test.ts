import assert from 'node:assert/strict';
import { test } from 'node:test';

import { blamedNames, withoutContents } from '../../src/xds/rejection.ts';

const blames: [message: string, names: string[], expected: string[]][] = [
  [
    "Error adding/updating listener(s) bad: cannot bind '127.0.0.1:25005': Address already in use\n",
    ['good', 'bad'],
    ['bad'],
  ],
  ['Error adding/updating listener(s) a: one\nmore of it\nc: two\n', ['a', 'b', 'c'], ['a', 'c']],
  ['Error adding/updating cluster(s) c1: duplicate cluster c1 found', ['c1', 'c2'], ['c1']],
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
