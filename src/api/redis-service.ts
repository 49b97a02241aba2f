/**
 * RedisService: which hosts it governs, where reads go, which routes commands take.
 */
import { parseFaults } from './faults.ts';
import type { Fields } from './fields.ts';
import { hostProblem } from './host-port.ts';
import type { ObjectHeader, RedisService } from './objects.ts';
import type { Report } from './report.ts';
import { checkPrefixes, parseRule } from './route-rule.ts';
import { parseAnnotations } from './service-annotations.ts';
import { parseSettings } from './service-settings.ts';

const IN_SETTINGS = Object.fromEntries(
  [
    'readPolicy',
    'opTimeout',
    'enableRedirection',
    'auth',
    'caseInsensitive',
    'enableHashtagging',
    'enableCommandStats',
    'maxBufferSizeBeforeFlush',
    'bufferFlushTimeout',
    'maxUpstreamUnknownConnections',
  ].map((name) => [name, 'spec.settings']),
);

/** Reports every problem; undefined where the object can't be used. */
export function parseRedisService(
  root: Fields,
  header: ObjectHeader,
  annotations: Fields | undefined,
  report: Report,
): RedisService | undefined {
  const spec = root.map('spec');
  root.done(IN_SETTINGS);
  if (spec === undefined) {
    if (!root.has('spec')) root.invalid('spec', 'is missing; write spec with a list host');
    // For what is wrong with them as well.
    parseAnnotations(annotations);
    return undefined;
  }
  const hosts = parseHosts(spec, report);
  const settings = parseSettings(spec.map('settings'), report);
  const rules = spec.maps('redis').map((rule) => parseRule(rule));
  const faults = parseFaults(spec, report);
  const ofMetadata = parseAnnotations(annotations);
  spec.done({
    ...IN_SETTINGS,
    route: 'an item of spec.redis',
    match: 'an item of spec.redis',
    mirror: 'an item of spec.redis',
  });

  checkPrefixes(rules, settings.caseInsensitive, report);
  if (report.hasErrors) return undefined;
  return {
    kind: 'RedisService',
    ...header,
    hosts,
    ...settings,
    rules: rules.flatMap(({ rule }) => rule ?? []),
    faults,
    annotations: ofMetadata,
  };
}

function parseHosts(spec: Fields, report: Report): readonly string[] {
  const said = report.diagnostics.length;
  const hosts = spec.texts('host');
  if (hosts.length === 0 && report.diagnostics.length === said) {
    spec.invalid('host', 'is empty; write the names of the services whose clients this object governs');
  }
  const first = new Map<string, number>();
  for (const { text, path } of hosts) {
    const index = Number(path.at(-1));
    const problem = hostProblem(text);
    if (problem !== undefined) report.invalid(path, problem);
    const before = first.get(text.toLowerCase());
    if (before === undefined) first.set(text.toLowerCase(), index);
    else
      report.add('error', 'Duplicate', path, `"${text}" is already spec.host[${before}]; remove one of them`);
  }
  return hosts.map(({ text }) => text);
}
