import assert from 'node:assert/strict';
import { test } from 'node:test';

import { problemOf } from '../../../src/sources/observations/connection-problem.ts';

const problems: [what: string, error: object, expected: RegExp][] = [
  ['the system', { code: 'ECONNREFUSED' }, /^ECONNREFUSED$/],
  ['no code', {}, /^as it is said$/],
  [
    'no Redis, as ioredis says it',
    { message: 'Unknown RESP type 72 "H". Please report this.' },
    /^what it answers is not RESP, so it is no Redis; give the address of one$/,
  ],
  ['an old certificate', { code: 'CERT_HAS_EXPIRED' }, /^CERT_HAS_EXPIRED: .*; renew it$/],
  ['who has signed', { code: 'SELF_SIGNED_CERT_IN_CHAIN' }, /; put who has signed it into ca\.crt/],
  [
    'a certificate for another name',
    { code: 'ERR_TLS_CERT_ALTNAME_INVALID', cert: { subjectaltname: 'DNS:a, DNS:b' }, host: 'c' },
    /is for DNS:a, DNS:b, not for c; write one of its names as serverName$/,
  ],
  ['none of ours', { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' }, /; write mode: MUTUAL/],
];
for (const [what, error, expected] of problems) {
  test(`of a connection that fails (${what}) it is told why, and what to do where that is known`, () => {
    assert.match(problemOf(Object.assign(new Error('as it is said'), error)), expected);
  });
}
