/**
 * Collects the Diagnostics of one object while it is planned.
 */
import type { Diagnostic, FieldPath, Reason, Severity } from '../api/diagnostic.ts';
import type { ApiObject } from '../api/objects.ts';
import { sameContent } from './same-content.ts';

export class Problems {
  readonly #found: Diagnostic[] = [];
  #blocking = false;

  get found(): readonly Diagnostic[] {
    return this.#found;
  }

  /** Whether the object can't be put in force as it is. */
  get blocking(): boolean {
    return this.#blocking;
  }

  /** What holds for every listener, or every port of a host, is said once. */
  add(severity: Severity, reason: Reason, object: ApiObject, path: FieldPath, message: string): void {
    const { kind, namespace, name } = object;
    const diagnostic = { severity, reason, object: { kind, namespace, name }, path, message };
    if (this.#found.some((before) => isSame(before, diagnostic))) return;
    const position = object.locate(path);
    this.#found.push({ ...diagnostic, ...(position === undefined ? {} : { position }) });
  }

  /** An error that keeps the whole object from being put in force. */
  block(reason: Reason, object: ApiObject, path: FieldPath, message: string): void {
    this.#blocking = true;
    this.add('error', reason, object, path, message);
  }

  addAll(diagnostics: readonly Diagnostic[]): void {
    for (const diagnostic of diagnostics) {
      if (!this.#found.some((before) => isSame(before, diagnostic))) this.#found.push(diagnostic);
    }
  }
}

function isSame(a: Diagnostic, b: Diagnostic): boolean {
  return (
    a.reason === b.reason && a.message === b.message && sameContent([a.object, a.path], [b.object, b.path])
  );
}
