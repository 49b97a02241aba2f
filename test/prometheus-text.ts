/**
 * The text that Prometheus reads, taken apart as strictly as it does, and held to its conventions.
 */
import assert from 'node:assert/strict';

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly type: string;
  readonly samples: readonly Sample[];
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.e+-]+|NaN|[+-]?Inf)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)/y;

/** By name. Fails where a line is none, a sample is of no family or stands twice, or a name breaks a convention. */
export function parseMetrics(text: string): ReadonlyMap<string, Family> {
  const families = new Map<string, { type: string; samples: Sample[] }>();
  const series = new Set<string>();
  let current = '';
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const [, name, type = ''] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line) ?? [];
    if (name !== undefined) {
      assert.ok(!families.has(name), `${name} is one family`);
      families.set(name, { type, samples: [] });
      current = name;
    } else if (!line.startsWith('# HELP ')) {
      const sample = parseSample(line);
      const family = families.get(current);
      const suffix = /^(?:_bucket|_sum|_count)?$/.exec(sample.name.slice(current.length))?.[0];
      const belongs = sample.name.startsWith(current) && (family?.type === 'histogram') === (suffix !== '');
      assert.ok(belongs && suffix !== undefined, `${line} belongs to ${current}`);
      const key = seriesOf(sample.name, sample.labels);
      assert.ok(!series.has(key), `${key} stands once`);
      series.add(key);
      family?.samples.push(sample);
    }
  }
  for (const [name, family] of families) checkFamily(name, family);
  return families;
}

function seriesOf(name: string, labels: Sample['labels']): string {
  const texts = Object.entries(labels).map(([label, value]) => `${label}=${value}`);
  return `${name}{${texts.toSorted((a, b) => a.localeCompare(b)).join()}}`;
}

function parseSample(line: string): Sample {
  const [, name = '', inBraces = '', value = ''] = SAMPLE.exec(line) ?? [];
  assert.ok(name !== '', `${line} is a sample`);
  const labels: Record<string, string> = {};
  for (LABEL.lastIndex = 0; LABEL.lastIndex < inBraces.length;) {
    const [, label = '', text = ''] = LABEL.exec(inBraces) ?? [];
    assert.ok(label !== '', `${inBraces} are labels`);
    labels[label] = text;
  }
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) };
}

function checkFamily(name: string, { type, samples }: Family): void {
  assert.equal(
    type === 'counter',
    name.endsWith('_total'),
    `${name}: counters, and they alone, end in _total`,
  );
  assert.doesNotMatch(name, /_(?:ms|milliseconds|kb|percent|bucket|count|sum)(?:_|$)/, `${name}: base units`);
  if (type === 'histogram') checkHistogram(name, samples);
}

function checkHistogram(name: string, samples: readonly Sample[]): void {
  const bySeries = new Map<string, Sample[]>();
  for (const sample of samples) {
    const { le: _, ...rest } = sample.labels;
    const key = seriesOf(name, rest);
    bySeries.set(key, [...(bySeries.get(key) ?? []), sample]);
  }
  for (const [key, all] of bySeries) {
    const named = (suffix: string): readonly Sample[] =>
      all.filter((each) => each.name === `${name}${suffix}`);
    const buckets = named('_bucket').map(({ labels, value }) => ({
      le: Number(labels['le']?.replace('Inf', 'Infinity')),
      value,
    }));
    assert.deepEqual(
      buckets,
      buckets.toSorted((a, b) => a.le - b.le),
      `${key}: bounds grow`,
    );
    assert.deepEqual(
      buckets,
      buckets.toSorted((a, b) => a.value - b.value),
      `${key}: counts are cumulative`,
    );
    assert.equal(buckets.at(-1)?.le, Infinity);
    assert.deepEqual(
      named('_count').map(({ value }) => value),
      [buckets.at(-1)?.value],
    );
    assert.equal(named('_sum').length, 1);
  }
}
