/**
 * What of the passwords may stand in an EnvoyFilter, which everybody can read who may read EnvoyFilters.
 *
 * Fails closed: what may not is as if it had never been known, so that clients, or the commands of a route, get errors.
 */
import type { FieldPath } from '../api/diagnostic.ts';
import type { RedisService } from '../api/objects.ts';
import type { SecretText } from '../api/secret-text.ts';
import { inMessage, type PlaceSecret, type Write } from '../envoy/secret-place.ts';
import type { ClientAuth, Upstream } from '../plan/routing-plan.ts';

export const SECRETS_PATH: FieldPath = ['metadata', 'annotations', 'redpilot.dev/istio-secrets'];

/** In files they are found by the Secret's own name and field, never by a path that an object gives. */
export function placeSecrets(service: RedisService, directory: string, write: Write): PlaceSecret {
  const inline = inMessage(write);
  return (secret) => {
    const { source } = secret;
    if (source === undefined || service.annotations.istioSecrets !== 'file') return inline(secret);
    return { filename: `${directory}/${source.name}/${source.field}` };
  };
}

/** undefined: as it is. */
export function refusedAuth(
  service: RedisService,
  auth: ClientAuth,
  filterNamespace: string,
): string | undefined {
  return auth.kind === 'password' ? refusal(service, auth.password, filterNamespace) : undefined;
}

export function refusedUpstream(
  service: RedisService,
  upstream: Upstream,
  filterNamespace: string,
): string | undefined {
  for (const secret of secretsOf(upstream)) {
    const why = refusal(service, secret, filterNamespace);
    if (why !== undefined) return why;
  }
  return refusedPlain(service, upstream);
}

/** Who reads EnvoyFilters here need not be able to read the objects there. */
function refusedPlain({ namespace }: RedisService, upstream: Upstream): string | undefined {
  if (upstream.mode === 'unavailable') return undefined;
  const statedIn = upstream.credentials?.password.statedIn;
  return statedIn === undefined || statedIn === namespace
    ? undefined
    : `the password stands in a RedisDestination of ${statedIn}, and may not be copied into an EnvoyFilter by an object of ${namespace}; write a RedisDestination of the host in ${namespace}`;
}

function secretsOf(upstream: Upstream): readonly SecretText[] {
  if (upstream.mode === 'unavailable') return [];
  const { credentials, tls } = upstream;
  const { authorities, certificate } = tls ?? {};
  return [credentials?.password, authorities, certificate?.chain, certificate?.key].filter(
    (secret) => secret !== undefined,
  );
}

/** As far as a file may be called, and nothing that leads elsewhere. */
const FIELD = /^(?!\.{1,2}$)[-._a-zA-Z0-9]+$/;

/** undefined: it may. */
function refusal(
  { annotations, namespace }: RedisService,
  { source }: SecretText,
  filterNamespace: string,
): string | undefined {
  // It stands in an object in clear already.
  if (source === undefined) return undefined;
  const what = `Secret ${source.namespace}/${source.name}`;
  switch (annotations.istioSecrets) {
    case 'inline':
      return source.namespace === namespace
        ? undefined
        : `${what} is of another namespace, and may not be copied into an EnvoyFilter by this one's wish; write a RedisDestination of the host with a Secret of ${namespace}`;
    case 'file':
      // The sidecars would mount what their own namespace has by that name.
      if (source.namespace !== filterNamespace) {
        const remedy =
          source.namespace === namespace
            ? `write "inline", or an object of its own in ${filterNamespace}`
            : `write a RedisDestination of the host with a Secret of ${namespace}`;
        return `${what} is not of ${filterNamespace}, whose sidecars would read another of that name; ${remedy}`;
      }
      if (!FIELD.test(source.field)) return `field "${source.field}" of ${what} cannot be the name of a file`;
      return source.isTrimmed
        ? `field ${source.field} of ${what} has white space around it, which a file keeps and Redis takes for a part of the password; write it without`
        : undefined;
    case undefined:
      return `${what} stays out of EnvoyFilters, where everybody could read it who may read them; write "file" and mount it into istio-proxy, or "inline" to allow it`;
  }
}
