/**
 * Passwords of both sides: from the object itself or from a Secret of its own namespace.
 *
 * Fails closed: what was asked for and never known is `unavailable`, never "no password". A Secret that vanished or was
 * emptied leaves the last password known in force, as long as the object asks the same Secret in the same words.
 */
import type { FieldPath, Reason } from '../api/diagnostic.ts';
import type { Auth, RedisDestination, RedisService, Secret } from '../api/objects.ts';
import type { WorldReader } from '../world/world-reader.ts';
import type { Problems } from './problems.ts';
import type { Credentials } from './routing-plan.ts';

/** Credentials, and the words they were asked for with, for the next time that they can't be read. */
export interface KnownCredentials extends Credentials {
  readonly askedFor: string;
}

export type CredentialsOutcome =
  | { readonly kind: 'known'; readonly credentials: KnownCredentials }
  | { readonly kind: 'unavailable'; readonly why: string };

const ALLOWED_TYPES: readonly string[] = ['Opaque', 'kubernetes.io/basic-auth'];

/** Reads the credentials that `object` asks for at `path`. */
export function readCredentials(
  world: WorldReader,
  object: RedisService | RedisDestination,
  auth: Auth,
  path: FieldPath,
  lastKnown: KnownCredentials | undefined,
  problems: Problems,
): CredentialsOutcome {
  if (auth.kind === 'plain') {
    const { username } = auth;
    const password = auth.password.standingIn(object.namespace);
    return { kind: 'known', credentials: { username, password, askedFor: 'plain' } };
  }
  const askedFor = JSON.stringify([object.namespace, auth.name, auth.passwordField, auth.usernameField]);
  const secret = world.secret(object.namespace, auth.name);
  const read = readSecret(secret, auth, object.namespace);
  if ('credentials' in read) return { kind: 'known', credentials: { ...read.credentials, askedFor } };

  problems.add('error', read.reason, object, [...path, 'secret', ...read.field], read.message);
  if (lastKnown?.askedFor !== askedFor) return { kind: 'unavailable', why: read.message };
  problems.add(
    'warning',
    'LastGoodKept',
    object,
    [...path, 'secret'],
    `the last password read from Secret ${auth.name} stays in force until it can be read again`,
  );
  return { kind: 'known', credentials: lastKnown };
}

/** Not the same as one that is not there: whoever reads this must not make it. */
export function unreadable(name: string, why: string): string {
  return `Secret ${name} can't be read: ${why}; grant get on it to redpilot`;
}

type SecretRead =
  | { readonly credentials: Credentials }
  | { readonly reason: Reason; readonly field: FieldPath; readonly message: string };

function readSecret(
  secret: Secret | undefined,
  auth: Auth & { kind: 'secret' },
  namespace: string,
): SecretRead {
  const { name, passwordField, usernameField } = auth;
  if (secret === undefined) {
    const message = `there is no Secret ${name} in namespace ${namespace}; create it there, or correct the name`;
    return { reason: 'SecretNotFound', field: ['name'], message };
  }
  if (secret.refusal !== undefined) {
    return { reason: 'SecretNotFound', field: ['name'], message: unreadable(name, secret.refusal) };
  }
  if (!ALLOWED_TYPES.includes(secret.type)) {
    const message = `Secret ${name} is of type ${secret.type}; only ${ALLOWED_TYPES.join(' and ')} may hold a password`;
    return { reason: 'SecretTypeRefused', field: ['name'], message };
  }
  const missing = (field: FieldPath, key: string): SecretRead => {
    const keys = [...secret.data.keys()].sort();
    const has = keys.length === 0 ? 'no fields' : keys.join(', ');
    // Who writes the password itself in its place must not find it in a log.
    const which = key === passwordField || key === usernameField ? 'such field' : `field ${key}`;
    const message = secret.data.has(key)
      ? `field ${key} of Secret ${name} is empty; give it a value`
      : `Secret ${name} has no ${which}; it has ${has}`;
    return { reason: 'SecretFieldMissing', field, message };
  };

  const passwordKey =
    passwordField ?? (secret.data.has('password') || !secret.data.has('token') ? 'password' : 'token');
  const password = secret.data.get(passwordKey)?.trimmed();
  if (password === undefined)
    return missing(passwordField === undefined ? ['name'] : ['passwordField'], passwordKey);
  const username = secret.data
    .get(usernameField ?? 'username')
    ?.trimmed()
    ?.reveal();
  if (username === undefined && usernameField !== undefined) return missing(['usernameField'], usernameField);
  return { credentials: { username, password } };
}
