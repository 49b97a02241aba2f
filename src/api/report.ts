/**
 * Gathers the Diagnostics of one object while it is parsed.
 */
import type { Diagnostic, FieldPath, ObjectRef, Position, Reason, Severity } from './diagnostic.ts';

export type Locate = (path: FieldPath) => Position | undefined;

export class Report {
  readonly #object: ObjectRef | undefined;
  readonly #locate: Locate;
  readonly #diagnostics: Diagnostic[] = [];

  constructor(object: ObjectRef | undefined, locate: Locate) {
    this.#object = object;
    this.#locate = locate;
  }

  get diagnostics(): readonly Diagnostic[] {
    return this.#diagnostics;
  }

  get hasErrors(): boolean {
    return this.#diagnostics.some(({ severity }) => severity === 'error');
  }

  add(severity: Severity, reason: Reason, path: FieldPath, message: string): void {
    const position = this.#locate(path);
    this.#diagnostics.push({
      severity,
      reason,
      ...(this.#object === undefined ? {} : { object: this.#object }),
      path,
      ...(position === undefined ? {} : { position }),
      message,
    });
  }

  invalid(path: FieldPath, message: string): void {
    this.add('error', 'InvalidValue', path, message);
  }
}
