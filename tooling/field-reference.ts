/**
 * docs/fields.md: every field that the parsers ask for, with its type and bounds as they check them.
 */
import { formatPath } from '../src/api/diagnostic.ts';
import { parseObject } from '../src/api/parse.ts';
import { REDIS_DESTINATION, REDIS_SERVICE, type Meaning } from './field-meanings.ts';

type OurKind = 'RedisService' | 'RedisDestination';

/** Of these a parser asks nothing further, so that one of each leads to every field. */
const auths = [{ plain: { password: 'x' } }, { secret: { name: 'x' } }];
const COMPLETE: Readonly<Record<OurKind, readonly object[]>> = {
  RedisService: auths.map((auth) => ({
    host: ['a'],
    settings: { auth },
    redis: [
      {
        match: { key: { prefix: 'a' } },
        route: { host: 'a', reads: { host: 'b' } },
        mirror: [{ route: { host: 'c' }, percentage: { value: 1 } }],
      },
      { route: { host: 'a' } },
    ],
    faults: [{ type: 'ERROR', percentage: { value: 1 }, commands: ['GET'] }],
  })),
  RedisDestination: auths.map((auth) => ({
    host: 'a',
    trafficPolicy: {
      tls: { mode: 'SIMPLE', secret: { name: 'x' } },
      connectionPool: { redis: { auth }, tcp: { tcpKeepalive: {} } },
    },
  })),
};

/** Types by path, in the order they are asked for. */
export function askedFields(kind: OurKind): ReadonlyMap<string, string> {
  const asked = new Map<string, string>();
  for (const spec of COMPLETE[kind]) {
    const object = {
      apiVersion: 'redis.aeraki.io/v1alpha1',
      kind,
      metadata: { name: 'a', annotations: {} },
      spec,
    };
    const outcome = parseObject(
      object,
      () => undefined,
      (path, type) => {
        const text = formatPath(path).replaceAll(/\[\d+\]/g, '[]');
        if (text.startsWith('spec.') || text.includes('redpilot.dev/')) asked.set(text, type);
      },
    );
    if (outcome.kind !== 'object' || outcome.diagnostics.some(({ severity }) => severity !== 'note'))
      throw new Error(`the complete ${kind} is not valid`);
  }
  return asked;
}

export const MEANINGS: Readonly<Record<OurKind, Readonly<Record<string, Meaning>>>> = {
  RedisService: REDIS_SERVICE,
  RedisDestination: REDIS_DESTINATION,
};

export function fieldReference(): string {
  return `# Every field

Made from what redpilot itself reads (\`npm run fields\`); [objects](objects.md) explains how they play together. \`ours\` marks
what Aeraki's API does not have. \`null\` is as good as absent; a duration has a unit (\`500ms\`, \`1.5s\`, \`1m30s\`); names of
choices may be written as their numbers, counted from 0.

${section('RedisService')}
${section('RedisDestination')}`;
}

function section(kind: OurKind): string {
  const rows = [...askedFields(kind)].map(([path, type]) => {
    const { means, without = '' } = MEANINGS[kind][path] ?? { means: '' };
    return `| \`${path}\` | ${type} | ${means} | ${without} |\n`;
  });
  return `## ${kind}\n\n| field | type | meaning | without it |\n|---|---|---|---|\n${rows.join('')}`;
}
