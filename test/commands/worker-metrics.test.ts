import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Counter, Gauge, Histogram, Registry } from 'prom-client';

import { WorkerMetrics } from '../../src/commands/worker-metrics.ts';
import { parseMetrics } from '../prometheus-text.ts';

interface Report {
  readonly pid: number;
  readonly metrics: readonly object[];
}

/** What a worker says that has answered so many commands, in a second each, and has a client. */
async function reportOf(pid: number, commands: number): Promise<Report> {
  const registers = [new Registry()];
  const help = 'of a test';
  const counter = new Counter({ name: 'commands_total', help, labelNames: ['kind'], registers });
  counter.inc({ kind: 'keyed' }, commands);
  new Gauge({ name: 'clients', help, registers }).set(1);
  const times = new Histogram({ name: 'reply_seconds', help, buckets: [2], registers });
  for (let count = 0; count < commands; count++) times.observe(1);
  return { pid, metrics: await registers[0]!.getMetricsAsJSON() };
}

/** What is told, one scrape after the other, of workers that said that: commands, replies, clients. */
async function told(
  ...scrapes: readonly ReadonlyMap<number, Report>[]
): Promise<readonly (readonly number[])[]> {
  const metrics = new WorkerMetrics();
  const all: (readonly number[])[] = [];
  for (const reports of scrapes) {
    for (const [number, report] of reports) metrics.note(number, report);
    const families = parseMetrics(await metrics.text(reports));
    const valueOf = (family: string, name = family): number =>
      families.get(family)?.samples.find((sample) => sample.name === name)?.value ?? 0;
    all.push([
      valueOf('commands_total'),
      valueOf('reply_seconds', 'reply_seconds_count'),
      valueOf('clients'),
    ]);
  }
  return all;
}

test('what workers count is added up', async () => {
  const reports = new Map([
    [1, await reportOf(11, 5)],
    [2, await reportOf(12, 7)],
  ]);
  assert.deepEqual(await told(reports), [[12, 12, 2]]);
});

test('what a worker has counted stays while it does not answer; what it has now does not', async () => {
  const [one, other] = [await reportOf(11, 5), await reportOf(12, 7)];
  const scrapes = [
    new Map([
      [1, one],
      [2, other],
    ]),
    new Map([[1, one]]),
    new Map([
      [1, one],
      [2, await reportOf(12, 8)],
    ]),
  ];
  assert.deepEqual(await told(...scrapes), [
    [12, 12, 2],
    [12, 12, 1],
    [13, 13, 2],
  ]);
});

test('what workers have counted stays when others take their place', async () => {
  const one = await reportOf(11, 5);
  const scrapes = [
    new Map([
      [1, one],
      [2, await reportOf(12, 7)],
    ]),
    new Map([
      [1, one],
      [2, await reportOf(13, 1)],
    ]),
    new Map([
      [1, one],
      [2, await reportOf(14, 2)],
    ]),
  ];
  assert.deepEqual(await told(...scrapes), [
    [12, 12, 2],
    [13, 13, 2],
    [15, 15, 2],
  ]);
});
