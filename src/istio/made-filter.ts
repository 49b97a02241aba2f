/**
 * One EnvoyFilter, ready to be written or with what keeps it from being; made once for as long as its plan is the same
 * object, unless it depends on something else than the plan: 10,000 of them take a second and more (measured).
 */
import type { Diagnostic } from '../api/diagnostic.ts';
import { tellUnsupported } from '../envoy/adapted-plan.ts';
import { Problems } from '../plan/problems.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import { bodyOf, type BodyOptions } from './body.ts';
import type { EnvoyFilterBody, FilterRef } from './envoy-filter.ts';
import type { Governed } from './governed.ts';
import { violationsOf } from './invariants.ts';

export interface MadeFilter {
  readonly outcome:
    | { readonly kind: 'body'; readonly body: EnvoyFilterBody }
    /** It may have nothing of what its object asks for: what is there goes. */
    | { readonly kind: 'refused' }
    /** What is there stays as it is; why is one clause. */
    | { readonly kind: 'kept'; readonly why: string };
  readonly diagnostics: readonly Diagnostic[];
}

const ofPlan = new WeakMap<ServicePlan, Map<string, MadeFilter>>();

/** `governed`: the plan's listeners that its sidecars carry out; at least one. */
export function makeFilter(
  filter: FilterRef,
  plan: ServicePlan,
  governed: readonly Governed[],
  options: BodyOptions,
): MadeFilter {
  const { priority, envoyVersion } = options;
  const asked = governed.map(({ listener, bind, addresses, isPortWide, problems }) => [
    listener.id,
    bind,
    addresses,
    isPortWide,
    problems,
  ]);
  const key = JSON.stringify([filter, priority, envoyVersion, asked]);
  const known = ofPlan.get(plan)?.get(key);
  if (known !== undefined) return known;
  // Secrets are written as the caller wants, who may also want to know which: these are made each time.
  let isOfPlanAlone = true;
  const noting = <A extends readonly unknown[], R>(ask: (...args: A) => R) => {
    return (...args: A): R => {
      isOfPlanAlone = false;
      return ask(...args);
    };
  };
  const made = make(filter, plan, governed, {
    ...options,
    secrets: noting(options.secrets),
    present: noting(options.present),
  });
  if (isOfPlanAlone) {
    const byKey = ofPlan.get(plan) ?? new Map<string, MadeFilter>();
    ofPlan.set(plan, byKey.set(key, made));
  }
  return made;
}

function make(
  filter: FilterRef,
  plan: ServicePlan,
  governed: readonly Governed[],
  options: BodyOptions,
): MadeFilter {
  const { service, listeners } = plan;
  const problems = new Problems();
  const unsupported = tellUnsupported(
    governed.map(({ listener }) => listener),
    options.envoyVersion,
  );
  problems.addAll(unsupported.filter(({ object }) => object !== undefined));
  for (const { reason, path, message } of governed.flatMap((one) => one.problems)) {
    problems.add('error', reason, service, path, message);
  }
  const kept = (why: string): MadeFilter => ({ outcome: { kind: 'kept', why }, diagnostics: problems.found });
  const body = bodyOf(filter, plan, governed, options, problems);
  if (body === undefined) {
    // Only what nobody knows an address of keeps what it had.
    if (governed.every(({ addresses }) => addresses !== undefined))
      return { outcome: { kind: 'refused' }, diagnostics: problems.found };
    return kept('none of its hosts can be served');
  }
  const closed = new Set(
    listeners.filter(({ clientAuth }) => clientAuth.kind !== 'none').map(({ id }) => id),
  );
  const [harm] = violationsOf(body, closed);
  if (harm !== undefined) {
    const message = `an EnvoyFilter for it would harm sidecars of ${filter.namespace}: ${harm}; what is there stays as it is`;
    problems.add('error', 'UnsupportedByIstio', service, [], message);
    return kept(harm);
  }
  return { outcome: { kind: 'body', body }, diagnostics: problems.found };
}
