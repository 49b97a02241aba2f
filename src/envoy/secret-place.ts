/**
 * Where Envoy finds a secret: in the message itself, or in a file on its machine.
 */
import type { SecretText } from '../api/secret-text.ts';
import type { DataSource } from './protos/envoy/config/core/v3/DataSource.ts';

/** How a secret is written: revealed for Envoy, redacted for people. */
export type Write = (secret: SecretText) => string;

export type PlaceSecret = (secret: SecretText) => DataSource;

export function inMessage(write: Write): PlaceSecret {
  return (secret) => ({ inline_string: write(secret) });
}
