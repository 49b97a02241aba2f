/**
 * What Envoy, of whatever version, does otherwise than an object asks; and the guards in force.
 */
import {
  diagnosticOf,
  type Diagnostic,
  type FieldPath,
  type Reason,
  type Severity,
} from '../api/diagnostic.ts';
import type { RedisDestination } from '../api/objects.ts';
import type { Listener } from '../plan/routing-plan.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import { guardsOf } from './guards.ts';
import { FAULTLESS_COMMANDS, KNOWN_COMMANDS } from './known-commands.ts';

const ofPlan = new WeakMap<ServicePlan, readonly Diagnostic[]>();
const ofDestination = new WeakMap<RedisDestination, readonly Diagnostic[]>();

/** Of all plans, each thing once; the same objects as before for the same plans. */
export function limitsOf(plans: readonly ServicePlan[]): readonly Diagnostic[] {
  const all = new Set<Diagnostic>();
  for (const plan of plans) {
    for (const diagnostic of remembered(ofPlan, plan, diagnose)) all.add(diagnostic);
    for (const destination of plan.destinations) {
      for (const diagnostic of remembered(ofDestination, destination, diagnoseDestination))
        all.add(diagnostic);
    }
  }
  return [...all];
}

function remembered<K extends object>(
  memory: WeakMap<K, readonly Diagnostic[]>,
  key: K,
  make: (key: K) => readonly Diagnostic[],
): readonly Diagnostic[] {
  let found = memory.get(key);
  if (found === undefined) {
    found = make(key);
    memory.set(key, found);
  }
  return found;
}

function diagnoseDestination(destination: RedisDestination): readonly Diagnostic[] {
  if (destination.maxConnections === undefined) return [];
  const path = ['spec', 'trafficPolicy', 'connectionPool', 'tcp', 'maxConnections'];
  const message =
    'is no limit in Envoy, which opens one connection to each server for each worker and listener, and one for each ' +
    'transaction; run Envoy with fewer workers (--concurrency) instead';
  return [diagnosticOf(destination, 'warning', 'UnsupportedByEnvoy', path, message)];
}

function diagnose({ service, listeners }: ServicePlan): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  const tell = (severity: Severity, reason: Reason, path: FieldPath, message: string): void =>
    void found.push(diagnosticOf(service, severity, reason, path, message));
  const unsupported = (path: FieldPath, message: string): void =>
    tell('warning', 'UnsupportedByEnvoy', path, message);

  const guards = new Map(listeners.flatMap(guardsOf).map(({ command, why }) => [command, why]));
  for (const [command, why] of guards) {
    const message = `Envoy answers ${command.toUpperCase()} with an error, since it ${why}; the annotation redpilot.dev/guards: "off" lets it through`;
    tell('note', 'GuardInForce', [], message);
  }
  if (listeners.length > 0) tellFaults(service.faults, unsupported);
  const readElsewhere = new Set(listeners.flatMap(prefixesReadElsewhere));
  for (const [index, { prefix, reads }] of service.rules.entries()) {
    if (reads === undefined || !readElsewhere.has(prefix)) continue;
    const message =
      'GETSET, GETEX, XADD and other stream commands fail on the replicas, since Envoy takes them for reads and no ' +
      'redirection leads them back; give them a host with MASTER';
    tell('warning', 'WritesAsReads', ['spec', 'redis', index, 'route', 'reads'], message);
  }
  const zones = zoneProblem(service.annotations.zoneAffinity, service.readPolicy, listeners);
  if (zones !== undefined) unsupported(['metadata', 'annotations', 'redpilot.dev/zone-affinity'], zones);
  return found;
}

/** The catch-all's is empty. */
function prefixesReadElsewhere({ routes: { prefixes, catchAll } }: Listener): readonly string[] {
  const read = prefixes.filter(({ reads }) => reads !== undefined).map(({ prefix }) => prefix);
  return catchAll?.reads === undefined ? read : [...read, ''];
}

function tellFaults(
  faults: ServicePlan['service']['faults'],
  unsupported: (path: FieldPath, message: string) => void,
): void {
  for (const [index, { percentage, commands }] of faults.entries()) {
    const path = ['spec', 'faults', index];
    if (!Number.isInteger(percentage)) {
      const whole = Math.floor(percentage);
      const message = `Envoy cuts ${percentage} to whole percents, which is ${whole}; write ${whole} or ${whole + 1}`;
      unsupported([...path, 'percentage', 'value'], message);
    }
    const never = commands.filter(
      (command) => !KNOWN_COMMANDS.has(command) || FAULTLESS_COMMANDS.has(command),
    );
    for (const command of never) {
      const why = FAULTLESS_COMMANDS.has(command)
        ? 'Envoy answers it itself, without faults'
        : 'Envoy answers it with an error, since it does not know it';
      const message = `${command.toUpperCase()} never meets this fault: ${why}; remove it`;
      unsupported([...path, 'commands', commands.indexOf(command)], message);
    }
  }
}

function zoneProblem(
  isAsked: boolean,
  policy: Listener['readPolicy'],
  listeners: readonly Listener[],
): string | undefined {
  if (!isAsked || listeners.length === 0) return undefined;
  if (policy === 'MASTER')
    return 'has no effect with MASTER, since every read goes to the primary; remove it';
  if (!listeners.some(({ zoneAffinity }) => zoneAffinity))
    return 'has no effect, since none of the routes leads to a Redis Cluster; remove it';
  if (policy === 'PREFER_MASTER' || policy === 'REPLICA') {
    return `has no effect with ${policy}: Envoy's policies of zones turn to the ${policy === 'REPLICA' ? 'primary where there is no replica' : 'replicas first'}; write PREFER_REPLICA or ANY, or remove it`;
  }
  return (
    'keeps to the replicas of the zone even while none of them answers, until Redis lists them no more ' +
    '(cluster-node-timeout): reads fail for that long; have two replicas of each shard in each zone, or remove it'
  );
}
