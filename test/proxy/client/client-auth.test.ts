import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SecretText } from '../../../src/api/secret-text.ts';
import type { ClientAuth } from '../../../src/plan/routing-plan.ts';
import { areRightCredentials } from '../../../src/proxy/client/client-auth.ts';

const of = (username: string | undefined, password = 'right'): ClientAuth => ({
  kind: 'password',
  username,
  password: new SecretText(password),
});

const CASES: readonly (readonly [what: string, ClientAuth, username: string, password: string, boolean])[] = [
  ['both', of('app'), 'app', 'right', true],
  ['the password of another', of('app'), 'app', 'wrong', false],
  ['the name of another', of('app'), 'other', 'right', false],
  ['the default user, where another one is meant', of('app'), 'default', 'right', false],
  ['the default user, where nobody is named', of(undefined), 'default', 'right', true],
  ['another user, where nobody is named', of(undefined), 'app', 'right', false],
  ['no password, where it was empty', of(undefined, ''), 'default', '', false],
  ['no password, where it was never known', { kind: 'unavailable', why: '' }, 'default', '', false],
];

for (const [what, auth, username, password, isRight] of CASES) {
  test(`${what}: ${isRight ? 'lets in' : 'keeps out'}`, () => {
    assert.equal(areRightCredentials(auth, username, password), isRight);
  });
}
