/**
 * Whose client a certificate is: the namespace that its names say.
 *
 *   URI  spiffe://TRUST/ns/NAMESPACE/sa/NAME      Istio's, and cert-manager's SPIFFE driver's
 *   DNS  NAME.NAMESPACE.svc[.CLUSTER-DOMAIN]      cert-manager's usual form
 *
 * A SPIFFE name decides alone; DNS names must agree with each other. The trust domain is not looked at: which names may
 * be certified is the business of the authorities that the server trusts.
 */

export type Found =
  | { readonly namespace: string; readonly problem?: never }
  | { readonly namespace?: never; readonly problem: string };

const LABEL = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?';
const SPIFFE = new RegExp(String.raw`^spiffe://[a-z0-9._-]+/ns/(${LABEL})/sa/[a-z0-9.-]+$`);
const SERVICE = new RegExp(String.raw`^${LABEL}\.(${LABEL})\.svc(?:\.(.+))?$`);

const REMEDY = 'give it a URI spiffe://TRUST/ns/NAMESPACE/sa/NAME or a DNS name NAME.NAMESPACE.svc';

/** `names` as Node writes them: `DNS:a.b.svc, URI:spiffe://…`. */
export function namespaceOf(names: string | undefined, clusterDomain: string): Found {
  if (names === undefined || names === '')
    return { problem: `the certificate has no alternative names; ${REMEDY}` };
  // Node quotes a name that holds anything which could be taken for the end of it; none of ours does.
  if (names.includes('"'))
    return { problem: 'the certificate has a name with characters that names do not have' };
  const entries = names.split(', ');
  const uris = withPrefix(entries, 'URI:').filter((uri) => /^spiffe:/i.test(uri));
  if (uris.length > 1) return { problem: `the certificate has ${uris.length} SPIFFE names; one is allowed` };
  const [uri] = uris;
  if (uri !== undefined) {
    const namespace = SPIFFE.exec(uri)?.[1];
    return namespace === undefined
      ? { problem: `the certificate's name ${uri} is not of the form spiffe://TRUST/ns/NAMESPACE/sa/NAME` }
      : { namespace };
  }
  const found = new Set(
    withPrefix(entries, 'DNS:').flatMap((name) => namespaceOfService(name.toLowerCase(), clusterDomain)),
  );
  const [namespace, ...others] = found;
  if (namespace === undefined)
    return { problem: `the certificate's names (${names}) say no namespace; ${REMEDY}` };
  if (others.length > 0)
    return {
      problem: `the certificate names ${found.size} namespaces (${[...found].join(', ')}); one is allowed`,
    };
  return { namespace };
}

function withPrefix(entries: readonly string[], prefix: string): readonly string[] {
  return entries.filter((entry) => entry.startsWith(prefix)).map((entry) => entry.slice(prefix.length));
}

function namespaceOfService(name: string, clusterDomain: string): readonly string[] {
  const [, namespace, domain = clusterDomain] = SERVICE.exec(name) ?? [];
  return namespace === undefined || domain !== clusterDomain ? [] : [namespace];
}
