/** What the status of an object says, as everybody reads it. */
import { eventually } from '../../src/demo/eventually.ts';
import type { Condition } from '../../src/status/conditions.ts';
import type { KubeCluster } from './kube-cluster.ts';

export interface ObjectName {
  readonly namespace: string;
  readonly name?: string;
  readonly plural?: 'redisservices' | 'redisdestinations';
}

/** Those that speak of the newest version of the object. */
export async function conditionsOf(
  kube: KubeCluster,
  { namespace, name = 'cache', plural = 'redisservices' }: ObjectName,
): Promise<readonly Condition[]> {
  const path = `/apis/redis.aeraki.io/v1alpha1/namespaces/${namespace}/${plural}/${name}`;
  const { status, metadata } = (await kube.request(path)) as {
    readonly status?: { readonly conditions?: readonly Condition[] };
    readonly metadata: { readonly generation: number };
  };
  return (status?.conditions ?? []).filter(
    ({ observedGeneration }) => observedGeneration === metadata.generation,
  );
}

/** `Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies` */
export function shortly(conditions: readonly Condition[]): string {
  return conditions
    .map(({ type, status, reason }) => `${type}=${status}${status === 'True' ? '' : `/${reason}`}`)
    .join(' ');
}

export function messageOf(conditions: readonly Condition[], type: string): string {
  return conditions.find((condition) => condition.type === type)?.message ?? '';
}

/** Resolves with the conditions once they are those, as `shortly` writes them. */
export async function awaitStatus(
  kube: KubeCluster,
  object: ObjectName,
  expected: string,
): Promise<readonly Condition[]> {
  let last = '';
  return await eventually(
    `${object.namespace}: ${expected}`,
    async () => {
      const conditions = await conditionsOf(kube, object);
      last = `${shortly(conditions)}: ${conditions.map(({ message }) => message).join('; ')}`;
      return shortly(conditions) === expected ? conditions : undefined;
    },
    { deadlineMs: 60_000, everyMs: 100, seen: () => last },
  );
}
