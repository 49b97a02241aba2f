/**
 * Whose sidecars an object reaches: those of its own namespace, and of others where it asks for them and the administrator
 * allows it. A user of one namespace must not get at the sidecars of another through our rights.
 */
import type { FieldPath } from '../api/diagnostic.ts';
import type { Listener } from '../plan/routing-plan.ts';
import type { ServicePlan } from '../plan/service-plan.ts';

export interface MeshRights {
  /** Whose sidecars objects of other namespaces may reach, too; `*`: the whole mesh's. */
  readonly allowedNamespaces: readonly string[];
  /** EnvoyFilters of this one hold for the whole mesh. */
  readonly rootNamespace: string;
}

export interface Audience {
  /** Namespaces that get an EnvoyFilter, sorted; the root namespace alone where it is among them. */
  readonly namespaces: readonly string[];
  /** Why others that were asked for get none; each a message. */
  readonly refusals: readonly string[];
}

export const AUDIENCE_PATH: FieldPath = ['metadata', 'annotations', 'redpilot.dev/istio-namespaces'];

export function audienceOf({ origin, service }: ServicePlan, rights: MeshRights): Audience {
  const { rootNamespace } = rights;
  const own = origin.namespace;
  const asked = service.annotations.istioNamespaces.map((name) =>
    name === '*' ? rootNamespace : name === '.' ? own : name,
  );
  const granted = new Set<string>();
  const refusals: string[] = [];
  for (const namespace of new Set([own, ...asked])) {
    if (mayReach(own, namespace, rights)) granted.add(namespace);
    else refusals.push(refusal(own, namespace, rights));
  }
  const namespaces = granted.has(rootNamespace) ? [rootNamespace] : [...granted].sort();
  return { namespaces, refusals };
}

/** Whether objects of a namespace may reach the sidecars of another. */
export function mayReach(
  own: string,
  namespace: string,
  { allowedNamespaces, rootNamespace }: MeshRights,
): boolean {
  // What stands in the root namespace reaches everybody: that is nobody's own.
  if (namespace === own && namespace !== rootNamespace) return true;
  return allowedNamespaces.includes('*') || allowedNamespaces.includes(namespace);
}

function refusal(own: string, namespace: string, { rootNamespace }: MeshRights): string {
  if (namespace !== rootNamespace) {
    return (
      `the sidecars of ${namespace} are not reached, since the administrator has not allowed it; ` +
      `let them add it to --istio-namespaces, or remove it`
    );
  }
  const what = own === rootNamespace ? `${own} is the root namespace of the mesh: ` : '';
  const remedy = own === rootNamespace ? 'move the object to another namespace' : 'name single namespaces';
  return `${what}the sidecars of the whole mesh are not reached, since the administrator has not allowed it; let them add "*" to --istio-namespaces, or ${remedy}`;
}

/** Whether what is said of that host holds for clients of the namespace at all (`export-to`, consumers' objects). */
export function holdsIn(
  { onlyNamespaces }: Listener,
  namespace: string,
  { rootNamespace }: MeshRights,
): boolean {
  if (onlyNamespaces === undefined) return true;
  return namespace !== rootNamespace && onlyNamespaces.includes(namespace);
}

export function outOfReach(listener: Listener, namespace: string, { rootNamespace }: MeshRights): string {
  const whose = namespace === rootNamespace ? 'the whole mesh' : namespace;
  return listener.isConsumers
    ? `the sidecars of ${whose} are not reached, since ${listener.host} is not of this namespace: the object governs its own clients only; remove it`
    : `the sidecars of ${whose} are not reached, since redpilot.dev/export-to keeps ${listener.host} from them; add them there, or remove it here`;
}
