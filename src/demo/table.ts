/**
 * The live table as text: each node, its role, what it is asked for.
 */
import { styleText } from 'node:util';

import { splitByRole, type Counts } from './traffic.ts';

export interface NodeRow {
  readonly name: string;
  readonly shard: number;
  /** undefined: the node does not answer. */
  readonly counts: Counts | undefined;
}

export interface TableOptions {
  readonly policy: string;
  readonly rows: readonly NodeRow[];
  /** What the counts are: `/s`, or `` for totals. */
  readonly unit: '/s' | '';
  readonly events: readonly string[];
  readonly footer: string;
  readonly colour: boolean;
  /** Of the terminal: rows are cut there, sentences go on in the next line. */
  readonly columns?: number;
}

type Style = Parameters<typeof styleText>[0];

export function tableText(options: TableOptions): string {
  const { policy, rows, unit, events, footer, colour, columns = Infinity } = options;
  const style = (how: Style, text: string): string =>
    colour ? styleText(how, text, { validateStream: false }) : text;
  const most = Math.max(1, ...rows.map(({ counts }) => counts?.reads ?? 0));
  const lines = rows.map(({ name, shard, counts }) => {
    if (counts === undefined) return style('dim', `  ${name.padEnd(17)}down      ${shard}`);
    const { role, reads, writes, refusedWrites } = counts;
    const bar = '▇'.repeat(Math.round((reads / most) * 20));
    const text =
      `  ${name.padEnd(17)}${role.padEnd(10)}${String(shard).padEnd(7)}` +
      `${String(reads).padStart(8)}  ${String(writes + refusedWrites).padStart(9)}  `;
    const colourOfRole = role === 'primary' ? 'yellow' : 'cyan';
    return style(colourOfRole, text.slice(0, columns)) + bar.slice(0, Math.max(0, columns - text.length));
  });
  const split = splitByRole(rows.flatMap(({ counts }) => counts ?? []));
  return [
    `readPolicy ${style('bold', policy)}`,
    '',
    style(
      'dim',
      `  ${'node'.padEnd(17)}${'role'.padEnd(10)}${'shard'.padEnd(7)}${`reads${unit}`.padStart(8)}  ${`writes${unit}`.padStart(9)}`.slice(
        0,
        columns,
      ),
    ),
    ...lines,
    '',
    ...wrapped(
      `  reads${unit}: ${split.readsOnPrimaries} on primaries, ${split.readsOnReplicas} on replicas; ` +
        `writes${unit}: ${split.writesOnPrimaries} on primaries, ${split.writesOnReplicas} on replicas`,
      columns,
    ),
    ...events.flatMap((event) => wrapped(`  ${event}`, columns)),
    ...wrapped(footer, columns),
  ].join('\n');
}

const INDENT = '    ';

/** Broken between words, within one only where it is longer than a line. */
function wrapped(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > columns) {
    const space = rest.lastIndexOf(' ', columns);
    const end = space > INDENT.length ? space : columns;
    lines.push(rest.slice(0, end));
    rest = INDENT + rest.slice(end).trimStart();
  }
  return [...lines, rest];
}
