/**
 * A password, in the object itself or in a Secret of its namespace: exactly one of the two.
 */
import type { Fields } from './fields.ts';
import type { Auth } from './objects.ts';
import { SecretText } from './secret-text.ts';

/** undefined where there is none, or a wrong one, which has then been reported. */
export function parseAuth(parent: Fields): Auth | undefined {
  const auth = parent.secretMap('auth');
  if (auth === undefined) return undefined;
  const plain = auth.secretMap('plain');
  const secret = auth.secretMap('secret');
  auth.done({
    password: 'plain',
    username: 'plain',
    name: 'secret',
    passwordField: 'secret',
    usernameField: 'secret',
  });
  if (plain !== undefined && secret !== undefined) {
    parent.invalid('auth', 'has both plain and secret; remove one of them');
    return undefined;
  }
  if (plain !== undefined) return parsePlain(plain);
  if (secret !== undefined) return parseSecretReference(secret);
  if (!auth.has('plain') && !auth.has('secret')) {
    parent.invalid(
      'auth',
      'has neither plain nor secret; write plain with a password, or secret with the name of a Secret',
    );
  }
  return undefined;
}

function parsePlain(plain: Fields): Auth | undefined {
  const username = plain.text('username')?.trim();
  const password = plain.secret('password');
  plain.done();
  const value = password?.reveal().trim();
  if (value === undefined || value === '') {
    // Envoy would take an empty password for none and let everybody in.
    if (value === '' || !plain.has('password')) plain.invalid('password', 'is empty; write a password');
    return undefined;
  }
  return { kind: 'plain', username: username === '' ? undefined : username, password: new SecretText(value) };
}

function parseSecretReference(secret: Fields): Auth | undefined {
  const name = secret.text('name');
  const passwordField = secret.text('passwordField');
  const usernameField = secret.text('usernameField');
  secret.done();
  if (name === undefined || name === '') {
    if (name === '' || !secret.has('name'))
      secret.invalid('name', 'is empty; write the name of a Secret of this namespace');
    return undefined;
  }
  return {
    kind: 'secret',
    name,
    passwordField: passwordField === '' ? undefined : passwordField,
    usernameField: usernameField === '' ? undefined : usernameField,
  };
}
