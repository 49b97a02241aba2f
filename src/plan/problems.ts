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

export class Problems {
  readonly #found: Diagnostic[] = [];
  /** By what is said: thousands are told apart without comparing each with each. */
  readonly #said = new Set<string>();
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
      const { reason, object, path, message } = diagnostic;
      const said = JSON.stringify([reason, object?.kind, object?.namespace, object?.name, path, message]);
      if (this.#said.has(said)) continue;
      this.#said.add(said);
      this.#found.push(diagnostic);
    }
  }
}
