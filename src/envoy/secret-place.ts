/**
 * Where Envoy finds a secret: in the message itself, or in a file on its machine.
 */
import type { SecretText } from '../api/secret-text.ts';
import type { DataSource } from './protos/envoy/config/core/v3/DataSource.ts';

/** How a secret is written: revealed for Envoy, redacted for people. */
export type Write = (secret: SecretText) => string;

export type PlaceSecret = (secret: SecretText) => DataSource;

export function inMessage(write: Write): PlaceSecret {
  return (secret) => {
    const text = write(secret);
    // Revealed it would be other bytes. In base64, as JSON has it; the codec takes that, too.
    const isLost = !secret.isText && text === secret.reveal();
    return isLost ? { inline_bytes: secret.bytes().toString('base64') } : { inline_string: text };
  };
}
