/**
 * Which objects are to be remembered over a restart: those whose last good version is in force in place of the newest.
 */
import { serviceOfHostKey } from '../api/host-name.ts';
import type { ApiObject, RedisService } from '../api/objects.ts';
import { namesOf, routedHosts } from '../plan/hosts.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import type { KnownObject } from '../sources/kubernetes/held-objects.ts';
import { storable } from '../sources/kubernetes/raw-objects.ts';
import type { RawObject } from '../sources/kubernetes/reflector.ts';
import { destinationsKey, entriesKey, objectKey, slicesKey, type World } from '../world/world.ts';

interface Good {
  readonly service: RedisService;
  /** What it was carried out with. */
  readonly context: readonly ApiObject[];
}

export class LastGood {
  /** By `namespace/name`: the newest version that was carried out. */
  readonly #good = new Map<string, Good>();
  readonly #bad = new Set<string>();

  /** A plan was made anew, or went. */
  follow(world: World, key: string, plan: ServicePlan | undefined): void {
    if (plan === undefined) {
      this.#good.delete(key);
      this.#bad.delete(key);
    } else if (plan.isLastGood) {
      this.#bad.add(key);
    } else {
      this.#bad.delete(key);
      if (plan.listeners.length > 0) {
        this.#good.set(key, { service: plan.service, context: contextOf(world, plan.service) });
      } else {
        this.#good.delete(key);
      }
    }
  }

  /** What to store now; `own` are the objects of ours as the API server has them. */
  objects(own: Iterable<KnownObject>): readonly RawObject[] {
    const bad = new Set(this.#bad);
    const all = new Set<ApiObject>();
    for (const { kind, namespace, name, isLastGood, object } of own) {
      if (!isLastGood) continue;
      if (kind === 'RedisService') bad.add(`${namespace}/${name}`);
      else if (object !== undefined) all.add(object);
    }
    for (const key of [...bad].sort()) {
      const good = this.#good.get(key);
      if (good === undefined) continue;
      all.add(good.service);
      for (const object of good.context) all.add(object);
    }
    return [...all].flatMap((object) => storable(object) ?? []);
  }
}

function contextOf(world: World, service: RedisService): readonly ApiObject[] {
  const { clusterDomain } = world.options;
  const hosts = [...service.hosts, ...routedHosts(service)];
  const names = new Set(hosts.flatMap((host) => namesOf(host, service.namespace, clusterDomain)));
  return [...names].flatMap((key): readonly ApiObject[] => {
    const named = serviceOfHostKey(key, clusterDomain);
    const found = named && world.object(objectKey('Service', named.namespace, named.name));
    return [
      ...(found === undefined ? [] : [found]),
      ...(named === undefined ? [] : world.list(slicesKey(named.namespace, named.name))),
      ...world.list(destinationsKey(key)),
      ...world.list(entriesKey(key)),
    ];
  });
}
