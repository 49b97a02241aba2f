/**
 * TLS towards Redis: what a RedisDestination asks for, with the PEM texts of its Secret.
 *
 * Fails closed as passwords do: what was asked for and never known is `unavailable`, never plaintext and never
 * unverified; a Secret that vanished or was spoilt leaves the last good one in force.
 */
import type { Reason } from '../api/diagnostic.ts';
import type { RedisDestination, Secret, Tls } from '../api/objects.ts';
import type { SecretText } from '../api/secret-text.ts';
import type { WorldReader } from '../world/world-reader.ts';
import { unreadable } from './credentials.ts';
import { certificateProblem, keyProblem } from './pem.ts';
import type { Problems } from './problems.ts';
import type { UpstreamTls } from './routing-plan.ts';

/** What was read of a Secret, and the words it was asked for with. */
export interface KnownTls {
  readonly askedFor: string;
  readonly pem: Pem;
}

type Pem = Pick<UpstreamTls, 'authorities' | 'certificate'>;

export type TlsOutcome =
  | { readonly kind: 'known'; readonly tls: UpstreamTls; readonly known: KnownTls }
  | { readonly kind: 'unavailable'; readonly why: string };

const ALLOWED_TYPES: readonly string[] = ['Opaque', 'kubernetes.io/basic-auth', 'kubernetes.io/tls'];
const PATH = ['spec', 'trafficPolicy', 'tls', 'secret', 'name'];

export function readTls(
  world: WorldReader,
  destination: RedisDestination,
  tls: Tls,
  /** Of the host, where the object names no serverName. */
  hostName: string,
  lastKnown: KnownTls | undefined,
  problems: Problems,
): TlsOutcome {
  const askedFor = JSON.stringify([destination.namespace, tls.secretName, tls.mode]);
  const outcome = (pem: Pem): TlsOutcome => {
    const { serverName = hostName, insecureSkipVerify } = tls;
    return {
      kind: 'known',
      // With a final dot, as DNS has it, it is in no certificate and is no server name (RFC 6066).
      tls: { serverName: serverName.replace(/\.$/, ''), skipVerification: insecureSkipVerify, ...pem },
      known: { askedFor, pem },
    };
  };
  if (tls.secretName === undefined) return outcome({ authorities: undefined, certificate: undefined });
  const secret = world.secret(destination.namespace, tls.secretName);
  const read = readPem(secret, tls.secretName, tls.mode, destination.namespace);
  if (!('reason' in read)) return outcome(read);

  problems.add('error', read.reason, destination, PATH, read.message);
  if (lastKnown?.askedFor !== askedFor) return { kind: 'unavailable', why: read.message };
  const message = `what was last read from Secret ${tls.secretName} stays in force until it can be read again`;
  problems.add('warning', 'LastGoodKept', destination, PATH, message);
  return outcome(lastKnown.pem);
}

interface NotRead {
  readonly reason: Reason;
  readonly message: string;
}

function readPem(
  secret: Secret | undefined,
  name: string,
  mode: Tls['mode'],
  namespace: string,
): Pem | NotRead {
  if (secret === undefined) {
    const message = `there is no Secret ${name} in namespace ${namespace}; create it there, or correct the name`;
    return { reason: 'SecretNotFound', message };
  }
  if (secret.refusal !== undefined) {
    return { reason: 'SecretNotFound', message: unreadable(name, secret.refusal) };
  }
  if (!ALLOWED_TYPES.includes(secret.type)) {
    const message = `Secret ${name} is of type ${secret.type}; only ${ALLOWED_TYPES.join(', ')} may hold certificates`;
    return { reason: 'SecretTypeRefused', message };
  }
  const spoilt = (key: string, problem: string): NotRead => ({
    reason: 'SecretFieldMissing',
    message: `field ${key} of Secret ${name} ${problem}`,
  });
  const authorities = present(secret, 'ca.crt');
  if (authorities !== undefined) {
    const problem = certificateProblem(authorities.reveal());
    if (problem !== undefined) return spoilt('ca.crt', problem);
  }
  if (mode === 'SIMPLE') return { authorities, certificate: undefined };
  const chain = present(secret, 'tls.crt');
  const key = present(secret, 'tls.key');
  if (chain === undefined) return spoilt('tls.crt', 'is missing or empty; MUTUAL presents it: add it');
  if (key === undefined) return spoilt('tls.key', 'is missing or empty; MUTUAL needs it: add it');
  const ofChain = certificateProblem(chain.reveal());
  if (ofChain !== undefined) return spoilt('tls.crt', ofChain);
  const ofKey = keyProblem(key.reveal(), chain.reveal());
  if (ofKey !== undefined) return spoilt('tls.key', ofKey);
  return { authorities, certificate: { chain, key } };
}

function present(secret: Secret, key: string): SecretText | undefined {
  const value = secret.data.get(key);
  return value === undefined || value.reveal().trim() === '' ? undefined : value;
}
