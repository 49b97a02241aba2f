/**
 * Collects the Diagnostics of one object while it is planned.
 */
import {
  diagnosticOf,
  type Diagnostic,
  type FieldPath,
  type Reason,
  type Severity,
} from '../api/diagnostic.ts';
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

  add(severity: Severity, reason: Reason, object: ApiObject, path: FieldPath, message: string): void {
    this.addAll([diagnosticOf(object, severity, reason, path, message)]);
  }

  /** An error that keeps the whole object from being put in force. */
  block(reason: Reason, object: ApiObject, path: FieldPath, message: string): void {
    this.#blocking = true;
    this.add('error', reason, object, path, message);
  }

  /** What holds for every listener, or every port of a host, is said once. */
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
