import assert from 'node:assert/strict';
import { test } from 'node:test';

import { listenProblem } from '../../src/api/listen-problem.ts';

const problems: readonly [code: string, port: number, expected: RegExp][] = [
  ['EADDRINUSE', 6379, /^is in use by another process$/],
  ['EACCES', 81, /\(EACCES: ports below 1024 need root, or CAP_NET_BIND_SERVICE\)$/],
  // A security module's.
  ['EACCES', 6379, /\(EACCES\)$/],
  ['EADDRNOTAVAIL', 6379, /\(EADDRNOTAVAIL: it is not this machine's\)$/],
  ['EAI_AGAIN', 6379, /\(EAI_AGAIN\)$/],
];
for (const [code, port, expected] of problems)
  test(`${code} at port ${port} is told as what it means there`, () => {
    assert.match(listenProblem(Object.assign(new Error('listen'), { code }), port), expected);
  });
