/**
 * Collects the Diagnostics of one object while it is planned.
 */
import type { Diagnostic, FieldPath, Reason, Severity } from '../api/diagnostic.ts';
import type { ApiObject } from '../api/objects.ts';

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
    const { kind, namespace, name } = object;
    const position = object.locate(path);
    this.#found.push({
      severity,
      reason,
      object: { kind, namespace, name },
      path,
      ...(position === undefined ? {} : { position }),
      message,
    });
  }

  /** As `add`, unless the same was said before: what holds for every listener is said once. */
  addOnce(severity: Severity, reason: Reason, object: ApiObject, path: FieldPath, message: string): void {
    if (this.#found.some((before) => before.reason === reason && before.message === message)) return;
    this.add(severity, reason, object, path, message);
  }

  /** An error that keeps the whole object from being put in force. */
  block(reason: Reason, object: ApiObject, path: FieldPath, message: string): void {
    this.#blocking = true;
    this.add('error', reason, object, path, message);
  }

  addAll(diagnostics: readonly Diagnostic[]): void {
    this.#found.push(...diagnostics);
  }
}
