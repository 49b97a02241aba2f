/**
 * Diagnostics as log lines: what is new, and what is no longer so, each once.
 */
import type { Logger } from 'pino';

import { formatDiagnostic, formatDiagnosticLine, type Diagnostic } from '../api/diagnostic.ts';

/** `said`: the lines of the last call. */
export function tellNews(current: readonly Diagnostic[], said: Set<string>, log: Logger): void {
  const now = new Set<string>();
  for (const diagnostic of current) {
    const line = formatDiagnosticLine(diagnostic);
    now.add(line);
    if (said.has(line)) continue;
    const { reason, position } = diagnostic;
    const place = position && `${position.file}:${position.line}:${position.column}`;
    const level = { error: 'error', warning: 'warn', note: 'info' } as const;
    log[level[diagnostic.severity]]({ reason, place }, formatDiagnostic(diagnostic));
  }
  for (const line of said) {
    if (!now.has(line)) log.info(`no longer: ${line}`);
  }
  said.clear();
  for (const line of now) said.add(line);
}
