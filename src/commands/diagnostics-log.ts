/**
 * Logs each diagnostic once when it is new, and once when it is no longer so; costs what changed, however many there are.
 * Of very many that come or go together, with one reason, the first are logged and the others counted: they have one cause.
 */
import type { Logger } from 'pino';

import {
  formatDiagnostic,
  formatDiagnosticLine,
  formatPosition,
  type Diagnostic,
  type Reason,
} from '../api/diagnostic.ts';

const LEVELS = { error: 'error', warning: 'warn', note: 'info' } as const;

/** How many of one reason are logged at a time. */
const MOST_TOLD = 20;

export class DiagnosticsLog {
  readonly #log: Logger;
  readonly #byOwner = new Map<string, readonly Diagnostic[]>();
  readonly #kinds = new Map<string, readonly string[]>();
  /** How many owners say it; several may say the same. */
  readonly #counts = new Map<string, number>();
  readonly #said = new Set<string>();
  /** By which each is told apart, formatted once: owners say most of what they say again and again. */
  readonly #lines = new WeakMap<Diagnostic, string>();
  /** What came or went since it was last told, by line. */
  readonly #news = new Map<string, Diagnostic>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** All that this owner has to say from now on. */
  set(owner: string, diagnostics: readonly Diagnostic[]): void {
    const before = this.#byOwner.get(owner) ?? [];
    if (before === diagnostics) return;
    if (diagnostics.length === 0) this.#byOwner.delete(owner);
    else this.#byOwner.set(owner, diagnostics);
    for (const diagnostic of diagnostics) this.#count(diagnostic, 1);
    for (const diagnostic of before) this.#count(diagnostic, -1);
  }

  /** All that owners of this kind have to say; those that are not named have nothing to say any more. */
  setAll(kind: string, byOwner: ReadonlyMap<string, readonly Diagnostic[]>): void {
    for (const owner of this.#kinds.get(kind) ?? [])
      if (!byOwner.has(owner)) this.set(`${kind} ${owner}`, []);
    for (const [owner, diagnostics] of byOwner) this.set(`${kind} ${owner}`, diagnostics);
    this.#kinds.set(kind, [...byOwner.keys()]);
  }

  tell(): void {
    const told = { new: new Map<Reason, number>(), over: new Map<Reason, number>() };
    for (const [line, diagnostic] of this.#news) {
      const { reason } = diagnostic;
      const isNew = this.#counts.has(line);
      if (isNew ? this.#said.has(line) : !this.#said.delete(line)) continue;
      const counts = isNew ? told.new : told.over;
      const count = (counts.get(reason) ?? 0) + 1;
      counts.set(reason, count);
      if (count > MOST_TOLD) continue;
      if (isNew) this.#tellNew(line, diagnostic);
      else this.#log.info(`no longer: ${line}`);
    }
    for (const [reason, count] of told.new) {
      const message = `${count - MOST_TOLD} more like these; redpilot validate and the admin's /config_dump list all`;
      if (count > MOST_TOLD) this.#log.warn({ reason }, message);
    }
    for (const [reason, count] of told.over)
      if (count > MOST_TOLD) this.#log.info({ reason }, `no longer: ${count - MOST_TOLD} more like these`);
    this.#news.clear();
  }

  #tellNew(line: string, diagnostic: Diagnostic): void {
    this.#said.add(line);
    const { reason, position, severity } = diagnostic;
    const place = position && formatPosition(position);
    this.#log[LEVELS[severity]]({ reason, place }, formatDiagnostic(diagnostic));
  }

  #count(diagnostic: Diagnostic, change: 1 | -1): void {
    const line = this.#lines.get(diagnostic) ?? identityOf(diagnostic);
    this.#lines.set(diagnostic, line);
    const count = (this.#counts.get(line) ?? 0) + change;
    if (count === 0) this.#counts.delete(line);
    else this.#counts.set(line, count);
    this.#news.set(line, diagnostic);
  }
}

/**
 * A line that is put on top of a file moves all that stands below it, which is no news; but whoever mends a mistake wants to
 * know where it is by now.
 */
function identityOf(diagnostic: Diagnostic): string {
  if (diagnostic.severity === 'error' || diagnostic.object === undefined)
    return formatDiagnosticLine(diagnostic);
  return `${diagnostic.severity} ${diagnostic.reason}: ${formatDiagnostic(diagnostic)}`;
}
