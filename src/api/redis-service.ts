/**
 * RedisService: which hosts it governs, where reads go, which routes commands take.
 */
import { parseAuth } from './auth.ts';
import type { Fields } from './fields.ts';
import { hostProblem } from './host-port.ts';
import type { ObjectHeader, ReadPolicy, RedisService, RouteRule } from './objects.ts';
import type { Report } from './report.ts';

/** In the order of their numbers. */
const READ_POLICIES: readonly ReadPolicy[] = ['MASTER', 'PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY'];

/** A hung node stalls its clients that long. */
const DEFAULT_OP_TIMEOUT_MS = 5_000;

/** Envoy's limit. */
const MAX_PREFIX_BYTES = 1_000;

const IN_SETTINGS = Object.fromEntries(
  ['readPolicy', 'opTimeout', 'enableRedirection', 'auth', 'caseInsensitive'].map((name) => [
    name,
    'spec.settings',
  ]),
);

const isFalse = (value: unknown): boolean => value === false;
const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

/** Reports every problem; undefined where the object can't be used. */
export function parseRedisService(
  root: Fields,
  header: ObjectHeader,
  report: Report,
): RedisService | undefined {
  const spec = root.map('spec');
  if (spec === undefined) {
    if (!root.has('spec')) root.invalid('spec', 'is missing; write spec with a list host');
    return undefined;
  }
  const hosts = parseHosts(spec, report);
  const settings = parseSettings(spec.map('settings'), report);
  const rules = spec.maps('redis').map((rule) => parseRule(rule));
  spec.refuse('faults', isEmptyList);
  spec.done({ ...IN_SETTINGS, route: 'an item of spec.redis', match: 'an item of spec.redis' });
  root.done(IN_SETTINGS);

  checkPrefixes(rules, report);
  if (report.hasErrors) return undefined;
  return {
    kind: 'RedisService',
    ...header,
    hosts,
    ...settings,
    rules: rules.flatMap(({ rule }) => rule ?? []),
  };
}

function parseHosts(spec: Fields, report: Report): readonly string[] {
  const hosts = spec.texts('host');
  if (hosts.length === 0 && !report.hasErrors) {
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

type Settings = Pick<RedisService, 'readPolicy' | 'opTimeoutMs' | 'enableRedirection' | 'auth'>;

function parseSettings(settings: Fields | undefined, report: Report): Settings {
  const readPolicy = settings?.choice('readPolicy', 'a read policy', READ_POLICIES) ?? 'MASTER';
  const opTimeoutMs = settings?.durationMs('opTimeout') ?? DEFAULT_OP_TIMEOUT_MS;
  const enableRedirection = settings?.flag('enableRedirection');
  const auth = settings === undefined ? undefined : parseAuth(settings);
  if (settings !== undefined) {
    for (const name of ['caseInsensitive', 'enableHashtagging', 'enableCommandStats'])
      settings.refuse(name, isFalse);
    for (const name of ['maxBufferSizeBeforeFlush', 'bufferFlushTimeout', 'maxUpstreamUnknownConnections']) {
      settings.refuse(name);
    }
    settings.done({ host: 'spec', redis: 'spec', faults: 'spec' });
    if (enableRedirection === false && readPolicy !== 'MASTER') {
      report.add(
        'warning',
        'WritesAsReads',
        settings.at('enableRedirection'),
        `with ${readPolicy} some writes (GETSET, GETEX, XADD and other stream commands) reach replicas, since Envoy takes ` +
          'them for reads; only a followed redirection brings them to the primary. Remove it, or write true',
      );
    }
  }
  return { readPolicy, opTimeoutMs, enableRedirection, auth };
}

interface ParsedRule {
  readonly rule: RouteRule | undefined;
  readonly prefix: string | undefined;
  readonly fields: Fields;
}

function parseRule(fields: Fields): ParsedRule {
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
  const host = route?.text('host');
  const port = route?.port('port');
  if (route !== undefined) {
    if (!route.has('host')) route.invalid('host', 'is missing; write the name of a Service or a DNS name');
    const problem = host === undefined ? undefined : hostProblem(host);
    if (problem !== undefined) route.invalid('host', problem);
    route.refuse('reads');
    route.done({ mirror: 'the item of spec.redis', match: 'the item of spec.redis' });
  }
  fields.refuse('mirror', isEmptyList);
  fields.done({ host: 'route', port: 'route', key: 'match', prefix: 'match.key', removePrefix: 'match.key' });
  return {
    rule: host === undefined ? undefined : { prefix, removePrefix, host, port },
    // A prefix of the wrong type is told where it is read; it is no catch-all.
    prefix: stated === undefined && key?.has('prefix') === true ? undefined : prefix,
    fields,
  };
}

function checkPrefixes(rules: readonly ParsedRule[], report: Report): void {
  const first = new Map<string, number>();
  for (const [index, { prefix, fields }] of rules.entries()) {
    if (prefix === undefined) continue;
    const before = first.get(prefix);
    if (before === undefined) {
      first.set(prefix, index);
    } else if (prefix === '') {
      const message = `is a second catch-all beside spec.redis[${before}]; give one of them match.key.prefix, or remove it`;
      report.add('error', 'Duplicate', fields.path, message);
    } else {
      const message = `"${prefix}" is already the prefix of spec.redis[${before}]; remove one of them`;
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
