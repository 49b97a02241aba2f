import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SecretText } from '../../src/api/secret-text.ts';
import { createAuthority } from '../../src/tls/authority.ts';
import { contextProblem } from '../../src/tls/context-problem.ts';
import { certificateProblem, keyProblem } from '../../src/plan/pem.ts';
import { validForSeconds, weakPair } from './certificates.ts';

test('a certificate and its authority that OpenSSL takes are no problem', async () => {
  const authority = await createAuthority(validForSeconds(3_600));
  const { certificate, key } = await authority.issueServer(['redis'], validForSeconds(3_600));
  const pems = {
    authorities: new SecretText(authority.certificate),
    certificate: { chain: new SecretText(certificate), key: new SecretText(key) },
  };
  assert.equal(contextProblem(pems), undefined);
});

test('a certificate that can be read, but whose key is too short, is one', async () => {
  const { certificate, key } = await weakPair();
  assert.deepEqual([certificateProblem(certificate), keyProblem(key, certificate)], [undefined, undefined]);
  const pems = {
    authorities: undefined,
    certificate: { chain: new SecretText(certificate), key: new SecretText(key) },
  };
  assert.match(
    contextProblem(pems) ?? '',
    /^OpenSSL does not take its certificate \(ERR_SSL_EE_KEY_TOO_SMALL\)$/,
  );
});
