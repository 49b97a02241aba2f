import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatDiagnosticLine } from '../../src/api/diagnostic.ts';
import { planDocument } from '../../src/plan/plan-document.ts';
import { Planner } from '../../src/plan/planner.ts';
import type { ServicePlan } from '../../src/plan/service-plan.ts';
import { planForView } from '../../src/plan/view.ts';
import type { MemberChanges, QuestionChanges } from '../../src/world/observation.ts';
import { World, type LookupKey, type WorldOptions } from '../../src/world/world.ts';
import { randomOf } from '../e2e/random.ts';
import { RandomWorld } from './random-world.ts';

const ROUNDS = 25;
const STEPS = 60;

/** Services that are not there are waited for, or taken as DNS names. */
const COMPLETE: readonly NonNullable<WorldOptions['completeNamespaces']>[] = ['all', ['a']];

for (const completeNamespaces of COMPLETE) {
  const options = { clusterDomain: 'cluster.local', completeNamespaces };
  const where = `all Services known of ${String(completeNamespaces)}`;

  test(`planning what a change concerns comes to the same as planning everything again, ${where}`, () => {
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const random = new RandomWorld(randomOf(seed));
      const [planner, thorough] = [new Following(), new Following()];
      const everChanged = new Set<LookupKey>();
      let world = World.empty(options);
      for (let step = 0; step < STEPS; step++) {
        const next = world.apply(random.changes());
        world = next.world;
        for (const key of next.changed) everChanged.add(key);
        planner.update(world, next.changed);
        // In the same order: of two who remember a host differently the first is asked.
        thorough.update(world, new Set([...next.changed, ...everChanged]));
        assert.deepEqual(planner.state(), thorough.state(), `seed ${seed}, step ${step}`);
      }
    }
  });

  test(`what rests on no memory is planned as after a restart, ${where}`, () => {
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const random = new RandomWorld(randomOf(seed));
      const planner = new Planner();
      let world = World.empty(options);
      for (let step = 0; step < STEPS; step++) {
        const next = world.apply(random.changes());
        world = next.world;
        planner.update(world, next.changed);
        const restarted = new Planner();
        const everything = World.empty(options).apply({ set: [...world.objects()], deleted: [] });
        restarted.update(world, everything.changed);
        const fresh = new Map(restarted.plans().map((plan) => [nameOf(plan), plan]));
        assert.deepEqual(planner.plans().map(nameOf).sort(), [...fresh.keys()].sort());
        for (const plan of planner.plans()) {
          const other = fresh.get(nameOf(plan));
          // What keeps an object from being in force may hide that something was remembered.
          if (other === undefined || plan.listeners.length === 0) continue;
          if (restsOnMemory(plan) || restsOnMemory(other)) continue;
          if (yieldsToLastGood(plan, planner.plans())) continue;
          assert.deepEqual(shown(plan), shown(other), `seed ${seed}, step ${step}`);
        }
      }
    }
  });
}

/** What was once assumed stays, and so does what was last good. */
function restsOnMemory({ diagnostics }: ServicePlan): boolean {
  return diagnostics.some(({ reason }) => reason === 'ModeAssumed' || reason === 'LastGoodKept');
}

/** Its host is held by one whose present version could not take it. */
function yieldsToLastGood({ diagnostics }: ServicePlan, plans: readonly ServicePlan[]): boolean {
  const conflicts = diagnostics.filter(({ reason }) => reason === 'HostConflict');
  const kept = plans.filter(({ isLastGood }) => isLastGood);
  return kept.some((plan) =>
    conflicts.some(({ message }) => message.includes(`RedisService ${nameOf(plan)},`)),
  );
}

/** A planner, and what it told of changes added up. */
class Following {
  readonly #planner = new Planner();
  readonly #questions = new Map<string, unknown>();
  readonly #members = new Map<string, unknown>();

  update(world: World, changed: ReadonlySet<LookupKey>): void {
    this.#planner.update(world, changed);
    addUp(this.#questions, this.#planner.takeQuestions());
    addUp(this.#members, this.#planner.takeMembers());
  }

  state(): unknown {
    const plans = [...this.#planner.plans()].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    const views = [undefined, 'a', 'b', 'c'].map((namespace) => {
      const view = { namespace, hosts: undefined, bindAddress: '127.0.0.1' };
      const { plan, diagnostics } = planForView(plans, view);
      return [planDocument(plan, (secret) => secret.reveal()), diagnostics.map(formatDiagnosticLine)];
    });
    return [plans.map(shown), views, this.#questions, this.#members];
  }
}

function addUp(sum: Map<string, unknown>, changes: QuestionChanges | MemberChanges): void {
  for (const [key, value] of changes) {
    if (value === undefined) sum.delete(key);
    else sum.set(key, value);
  }
}

function nameOf({ origin: { namespace, name } }: ServicePlan): string {
  return `${namespace}/${name}`;
}

function shown(plan: ServicePlan): unknown {
  return {
    ...plan,
    destinations: plan.destinations.map(({ namespace, name }) => `${namespace}/${name}`),
    diagnostics: plan.diagnostics.map(formatDiagnosticLine),
    knownClientAuth: undefined,
  };
}
