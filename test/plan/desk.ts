import type { ApiObject } from '../../src/api/objects.ts';
import { Planner } from '../../src/plan/planner.ts';
import type { Listener, Upstream } from '../../src/plan/routing-plan.ts';
import { World, type ObjectChanges, type WorldOptions } from '../../src/world/world.ts';

/** A World and its plans, changed step by step as a source would. */
export class Desk {
  readonly planner = new Planner();
  world: World;

  constructor(options: Partial<WorldOptions> = {}) {
    this.world = World.empty({ clusterDomain: 'cluster.local', ...options });
  }

  /** Names of the RedisServices that were planned again. */
  change(changes: Partial<ObjectChanges>): string[] {
    const { world, changed } = this.world.apply({ set: [], deleted: [], ...changes });
    this.world = world;
    return [...this.planner.update(world, changed)].sort();
  }

  put(...set: ApiObject[]): string[] {
    return this.change({ set });
  }

  remove(object: ApiObject): string[] {
    return this.change({ deleted: [object] });
  }

  listener(name = 'redis-cluster'): Listener | undefined {
    return this.planner.plans().find(({ origin }) => origin.name === name)?.listeners[0];
  }

  upstream(id = 'redis-cluster.redis.svc.cluster.local:6379'): Upstream | undefined {
    return this.planner
      .plans()
      .flatMap(({ upstreams }) => upstreams)
      .find((upstream) => upstream.id === id);
  }

  reasons(): string[] {
    return this.planner.diagnostics().map(({ severity, reason }) => `${severity} ${reason}`);
  }

  upstreamIds(): string[] {
    return this.planner.plans().flatMap(({ upstreams }) => upstreams.map(({ id }) => id));
  }

  password(id?: string): string | undefined {
    const upstream = this.upstream(id);
    return upstream === undefined || upstream.mode === 'unavailable'
      ? undefined
      : upstream.credentials?.password.reveal();
  }
}

export function deskWith(...objects: ApiObject[]): Desk {
  const desk = new Desk();
  desk.put(...objects);
  return desk;
}
