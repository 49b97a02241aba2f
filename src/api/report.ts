/**
 * Gathers the Diagnostics of one object while it is parsed.
 */
import type { Diagnostic, FieldPath, ObjectRef, Position, Reason, Severity } from './diagnostic.ts';

export type Asked = (path: FieldPath, type: string) => void;

export type Locate = (path: FieldPath) => Position | undefined;

export class Report {
  readonly #object: ObjectRef | undefined;
  readonly #locate: Locate;
  readonly #diagnostics: Diagnostic[] = [];
  /** Called with every field that is asked for, there or not: what the reference of fields is made of. */
  readonly onAsked: Asked | undefined;

  constructor(object: ObjectRef | undefined, locate: Locate, onAsked?: Asked) {
    this.#object = object;
    this.#locate = locate;
    this.onAsked = onAsked;
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
