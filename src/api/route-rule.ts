/**
 * An item of spec.redis: which keys, and where their commands go.
 */
import type { Fields } from './fields.ts';
import { hostProblem } from './host-port.ts';
import type { HostPort, MirrorRule, RouteRule } from './objects.ts';
import type { Report } from './report.ts';

/** Envoy's limit. */
const MAX_PREFIX_BYTES = 1_000;

export interface ParsedRule {
  readonly rule: RouteRule | undefined;
  /** undefined: of the wrong type, which has been told; it is no catch-all. */
  readonly prefix: string | undefined;
  readonly fields: Fields;
}

export function parseRule(fields: Fields): ParsedRule {
  const match = fields.map('match');
  const key = match?.map('key');
  const stated = key?.text('prefix');
  const prefix = stated ?? '';
  const removePrefix = key?.flag('removePrefix') ?? false;
  if (key !== undefined && Buffer.byteLength(prefix) > MAX_PREFIX_BYTES) {
    key.invalid('prefix', `has ${Buffer.byteLength(prefix)} bytes; write at most ${MAX_PREFIX_BYTES}`);
  }
  if (key !== undefined && removePrefix && prefix === '' && !(stated === undefined && key.has('prefix'))) {
    key.invalid(
      'removePrefix',
      'has nothing to remove, since there is no prefix; remove it, or write a prefix beside it',
    );
  }
  key?.done();
  match?.done({ prefix: 'match.key', removePrefix: 'match.key' });

  const route = fields.map('route');
  if (route === undefined && !fields.has('route')) {
    fields.invalid('route', 'is missing; write route with the host that these commands go to');
  }
  const place = route && parsePlace(route);
  const readsFields = route?.map('reads');
  const reads = readsFields && parsePlace(readsFields);
  readsFields?.done();
  route?.done({ mirror: 'the item of spec.redis', match: 'the item of spec.redis' });
  const mirrors = fields.maps('mirror').flatMap((mirror) => parseMirror(mirror) ?? []);
  fields.done({
    host: 'route',
    port: 'route',
    reads: 'route',
    key: 'match',
    prefix: 'match.key',
    removePrefix: 'match.key',
  });
  return {
    rule: place && { prefix, removePrefix, ...place, reads, mirrors },
    prefix: stated === undefined && key?.has('prefix') === true ? undefined : prefix,
    fields,
  };
}

/** `host` and `port` of a route; undefined where there is no usable host, which has been told. */
function parsePlace(route: Fields): HostPort | undefined {
  const host = route.text('host');
  const port = route.port('port');
  if (!route.has('host')) route.invalid('host', 'is missing; write the name of a Service or a DNS name');
  const problem = host === undefined ? undefined : hostProblem(host);
  if (problem !== undefined) route.invalid('host', problem);
  return host === undefined ? undefined : { host, port };
}

function parseMirror(mirror: Fields): MirrorRule | undefined {
  const route = mirror.map('route');
  if (route === undefined && !mirror.has('route')) {
    mirror.invalid('route', 'is missing; write route with the host that the copies go to');
  }
  const place = route && parsePlace(route);
  const percentage = parsePercentage(mirror);
  const excludeReadCommands = mirror.flag('excludeReadCommands') ?? false;
  route?.done({ percentage: 'the item of mirror', excludeReadCommands: 'the item of mirror' });
  mirror.done({ host: 'route', port: 'route' });
  return place && { ...place, percentage, excludeReadCommands };
}

/** `percentage: {value}`; 100 where it is absent. */
export function parsePercentage(parent: Fields): number {
  const percentage = parent.map('percentage');
  const value = percentage?.percent('value');
  if (percentage !== undefined && !percentage.has('value')) {
    percentage.invalid('value', 'is missing; write a number from 0 to 100');
  }
  percentage?.done();
  return value ?? 100;
}

/** No prefix twice (as they are compared), one catch-all at most, and a warning where there is none. */
export function checkPrefixes(rules: readonly ParsedRule[], caseInsensitive: boolean, report: Report): void {
  const first = new Map<string, number>();
  for (const [index, { prefix, fields }] of rules.entries()) {
    if (prefix === undefined) continue;
    const compared = caseInsensitive ? foldCase(prefix) : prefix;
    const before = first.get(compared);
    if (before === undefined) {
      first.set(compared, index);
    } else if (prefix === '') {
      const message = `is a second catch-all beside spec.redis[${before}]; give one of them match.key.prefix, or remove it`;
      report.add('error', 'Duplicate', fields.path, message);
    } else {
      const without = rules[before]?.prefix === prefix ? '' : ' without regard to case';
      const message = `"${prefix}" is already the prefix of spec.redis[${before}]${without}; remove one of them`;
      report.add('error', 'Duplicate', [...fields.path, 'match', 'key', 'prefix'], message);
    }
  }
  if (rules.length > 0 && !first.has('') && !report.hasErrors) {
    const message =
      'has no rule without match, so keys that begin with none of the prefixes, and commands without a key ' +
      '(ioredis sends INFO when it connects), are answered with an error; ' +
      'add a rule with only a route if they should go somewhere';
    report.add('warning', 'NoCatchAll', ['spec', 'redis'], message);
  }
}

/** ASCII only, as Envoy folds prefixes. */
function foldCase(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}
