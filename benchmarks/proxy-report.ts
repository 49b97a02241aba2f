/**
 * What `proxy` saw, as a table and as JSON: medians over the rounds, and the ratios within a round to the first target.
 */
import { cpus, loadavg } from 'node:os';

import { median } from './free-connections.ts';
import type { Seen } from './redis-benchmark.ts';

export interface Row extends Seen {
  readonly cpuMicros: number;
}

/** Load by load, target by target, a row a round. */
export class Rows {
  readonly byLoad = new Map<string, Map<string, Row[]>>();
  /** Of each target at the end, in MiB. */
  readonly memory = new Map<string, number>();

  add(target: string, load: string, row: Row): void {
    const byTarget = this.byLoad.get(load) ?? new Map<string, Row[]>();
    this.byLoad.set(load, byTarget);
    const list = byTarget.get(target) ?? [];
    byTarget.set(target, list);
    list.push(row);
  }
}

export interface Conditions {
  readonly at: string;
  readonly node: string;
  readonly cores: number;
  readonly load: number;
}

export function conditions(): Conditions {
  const [load = 0] = loadavg();
  return { at: new Date().toISOString(), node: process.version, cores: cpus().length, load };
}

const MEASURES = ['cpuMicros', 'perSecond', 'p50', 'p99'] as const;
const DIGITS = { cpuMicros: 1, perSecond: 0, p50: 2, p99: 2 } as const;

interface Ratio {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

function ratioOf(own: readonly Row[], base: readonly Row[], measure: (typeof MEASURES)[number]): Ratio {
  const ratios = own.map((row, round) => row[measure] / (base[round] ?? row)[measure]);
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
}

export function tableOf(rows: Rows, { cores, load, node }: Conditions): string {
  const [names] = [...rows.byLoad.values()].map((byTarget) => [...byTarget.keys()].toSorted());
  const base = baseOf(names ?? []);
  const lines = [
    `Node ${node}, ${cores} cores, load ${load.toFixed(1)} at the start. Medians; in brackets the ratio to ${base}: median,`,
    `and its range over the rounds.\n`,
    `| load | target | CPU us | commands/s | p50 ms | p99 ms |`,
    `|---|---|---|---|---|---|`,
  ];
  for (const [name, byTarget] of rows.byLoad) {
    for (const [target, own] of inOrder(byTarget, base)) {
      const cells = MEASURES.map((measure) => {
        const ratio = ratioOf(own, byTarget.get(base) ?? own, measure);
        const range = `${ratio.least.toFixed(2)}-${ratio.most.toFixed(2)}`;
        const value = median(own.map((row) => row[measure])).toFixed(DIGITS[measure]);
        return `${value} (**${ratio.median.toFixed(2)}**, ${range})`;
      });
      lines.push(`| ${name} | ${target} | ${cells.join(' | ')} |`);
    }
  }
  const sizes = [...rows.memory].map(([name, mib]) => `${name} ${mib.toFixed(0)} MiB`);
  return `${lines.join('\n')}\n\nMemory at the end: ${sizes.join(', ')}.\n`;
}

export function jsonOf(
  rows: Rows,
  around: { readonly before: Conditions; readonly after: Conditions },
): string {
  const loads = [...rows.byLoad].map(([load, byTarget]) => {
    const base = baseOf([...byTarget.keys()]);
    const targets = inOrder(byTarget, base).map(([target, own]) => {
      const measures = MEASURES.map((measure) => [
        measure,
        {
          median: median(own.map((row) => row[measure])),
          ratio: ratioOf(own, byTarget.get(base) ?? own, measure),
        },
      ]);
      return { target, ...(Object.fromEntries(measures) as object), rows: own };
    });
    return { load, ratiosTo: base, targets };
  });
  return `${JSON.stringify({ ...around, loads, memoryMib: Object.fromEntries(rows.memory) }, undefined, 2)}\n`;
}

/** Envoy without batching, where it was measured. */
function baseOf(names: readonly string[]): string {
  return names.find((name) => name === 'Envoy') ?? names[0] ?? '';
}

/** The rows came in the order of the first round: the base first, then by name. */
function inOrder(byTarget: ReadonlyMap<string, readonly Row[]>, base: string): [string, readonly Row[]][] {
  return [...byTarget].toSorted(([a], [b]) => (a === base ? -1 : b === base ? 1 : a.localeCompare(b)));
}
