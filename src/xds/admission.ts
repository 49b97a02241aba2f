/**
 * Who a node is: what its certificate says, whatever it says itself.
 */
import { NAMESPACE } from '../envoy/node-view.ts';
import type { Found } from '../tls/identity.ts';
import type { Refusal } from './refusal.ts';
import type { XdsNode } from './snapshot-source.ts';

export type Admission =
  | { readonly kind: 'admitted'; readonly node: XdsNode }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** `identity` is undefined without TLS: then the node is believed. */
export function admit(node: XdsNode, identity: Found | undefined): Admission {
  if (identity === undefined) return { kind: 'admitted', node };
  if (identity.namespace === undefined) return forbidden(identity.problem);
  const { namespace } = identity;
  const claim = node.metadata[NAMESPACE];
  if (typeof claim === 'string' && claim !== '' && claim !== namespace) {
    return forbidden(
      `the node names the namespace ${JSON.stringify(claim.slice(0, 63))}, but its certificate is of ` +
        `${JSON.stringify(namespace)}; drop ${NAMESPACE} from its metadata, or give it a certificate of that namespace`,
    );
  }
  return { kind: 'admitted', node: { ...node, metadata: { ...node.metadata, [NAMESPACE]: namespace } } };
}

function forbidden(problem: string): Admission {
  return { kind: 'refused', refusal: { kind: 'forbidden', problem } };
}
