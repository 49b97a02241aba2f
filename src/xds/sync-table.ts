/**
 * The status of connected nodes as a table for people, with a line for each refusal below.
 */
import { TYPE_URLS } from '../envoy/resource.ts';
import { typeWord } from './metrics.ts';
import type { NodeStatus } from './sync-status.ts';

const TYPES = TYPE_URLS.map(typeWord);

const HEAD = ['NODE', 'NAMESPACE', 'ENVOY', ...TYPES.map((type) => type.toUpperCase()), 'PEER'];

/** `-`: unknown, or not subscribed to. */
export function syncTable(nodes: readonly NodeStatus[]): string {
  if (nodes.length === 0) return 'no nodes are connected\n';
  const rows = nodes.map(({ node, namespace, version, peer, types }) => {
    const states = TYPES.map((type) => types.find((status) => status.type === type)?.state ?? '-');
    return [node, namespace ?? '-', version ?? '-', ...states, peer].map(printable);
  });
  const widths = HEAD.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const lines = [HEAD, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const refusals = nodes.flatMap(({ node, types }) =>
    types.flatMap(({ type, reason }) =>
      reason === undefined ? [] : [printable(`${node}: ${type} rejected: ${reason}`)],
    ),
  );
  return [...lines, ...(refusals.length > 0 ? ['', ...refusals] : []), ''].join('\n');
}

/** Nodes choose their names and words themselves: nothing of it may move the cursor of a terminal. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ').trim();
}
