/**
 * The fields of one map in an object: read by name and type, with every problem reported at its path.
 *
 * A reader returns undefined for a field that is absent, null, or wrong; what is wrong has then been reported. `done`
 * reports the fields that nobody asked for.
 *
 * What stands in the place of a map or a list may be a password, and so may anything among those that hold one (`isSecret`):
 * there a message says what kind of value it is, and never quotes it.
 */
import type { FieldPath } from './diagnostic.ts';
import { parseDuration } from './duration.ts';
import type { Report } from './report.ts';
import { SecretText } from './secret-text.ts';
import { nearest } from './suggestion.ts';

/** Where a field belongs that stands somewhere else: `readPolicy` → `spec.settings`. */
export type Homes = Readonly<Record<string, string>>;

export class Fields {
  readonly path: FieldPath;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #report: Report;
  readonly #asked = new Set<string>();
  readonly #isSecret: boolean;

  private constructor(
    values: Readonly<Record<string, unknown>>,
    path: FieldPath,
    report: Report,
    isSecret: boolean,
  ) {
    this.#values = values;
    this.#isSecret = isSecret;
    this.path = path;
    this.#report = report;
  }

  /** undefined, and reported, where the value is no map. */
  static of(value: unknown, path: FieldPath, report: Report, isSecret = false): Fields | undefined {
    if (isMap(value)) return new Fields(value, path, report, isSecret);
    report.invalid(path, `is ${kindOf(value)}, not a map; write fields below it, each as name: value`);
    return undefined;
  }

  get names(): readonly string[] {
    return Object.keys(this.#values);
  }

  get isEmpty(): boolean {
    return this.names.length === 0;
  }

  at(name: string): FieldPath {
    return [...this.path, name];
  }

  has(name: string): boolean {
    return this.#value(name) !== undefined;
  }

  invalid(name: string, message: string): void {
    this.#report.invalid(this.at(name), message);
  }

  map(name: string): Fields | undefined {
    const value = this.#value(name, 'a map');
    return value === undefined ? undefined : Fields.of(value, this.at(name), this.#report, this.#isSecret);
  }

  /** An absent list is empty. */
  list(name: string): readonly { readonly value: unknown; readonly path: FieldPath }[] {
    const value = this.#value(name, 'a list');
    if (value === undefined) return [];
    if (!Array.isArray(value)) {
      this.invalid(
        name,
        `is ${kindOf(value)}, not a list; write each item on a line of its own that begins with -`,
      );
      return [];
    }
    return value.map((item: unknown, index) => ({ value: item, path: [...this.path, name, index] }));
  }

  /** A map that holds passwords, or says where they are. */
  secretMap(name: string): Fields | undefined {
    const value = this.#value(name, 'a map');
    return value === undefined ? undefined : Fields.of(value, this.at(name), this.#report, true);
  }

  maps(name: string): readonly Fields[] {
    return this.list(name).flatMap(({ value, path }) => Fields.of(value, path, this.#report) ?? []);
  }

  text(name: string): string | undefined {
    const value = this.#value(name, 'a text');
    if (value === undefined || typeof value === 'string') return value;
    const what = this.#isSecret ? `is ${kindOf(value)}, not a text` : `${describe(value)} is not a text`;
    this.invalid(name, `${what}; ${asText(value)}`);
    return undefined;
  }

  texts(name: string): readonly { readonly text: string; readonly path: FieldPath }[] {
    return this.list(name).flatMap(({ value, path }) => {
      if (typeof value === 'string') return { text: value, path };
      this.#report.invalid(path, `${describe(value)} is not a text; ${asText(value)}`);
      return [];
    });
  }

  /** A text whose value is never quoted in a message. */
  secret(name: string): SecretText | undefined {
    const value = this.#value(name, 'a text');
    if (value === undefined) return undefined;
    if (typeof value === 'string') return new SecretText(value);
    this.invalid(name, `is ${kindOf(value)}, not a text; ${asText(value)}`);
    return undefined;
  }

  flag(name: string): boolean | undefined {
    const value = this.#value(name, '`true` or `false`');
    if (value === undefined || typeof value === 'boolean') return value;
    this.invalid(
      name,
      `${quotedAs(FLAG_LIKE, value)} is neither true nor false; write one of them without quotes`,
    );
    return undefined;
  }

  port(name: string): number | undefined {
    return this.#number(name, isWhole(1, 65_535), {
      type: 'a port, 1 to 65535',
      complaint: 'is not a port',
      remedy: 'a whole number from 1 to 65535',
    });
  }

  /** A whole number within bounds; `noun` names it in a message. */
  integer(
    name: string,
    noun: string,
    { min, max }: { readonly min: number; readonly max: number },
  ): number | undefined {
    const type = `a whole number from ${min} to ${max}`;
    const complaint = `is not ${noun} that can be used`;
    return this.#number(name, isWhole(min, max), { type, complaint, remedy: type });
  }

  /** 0 to 100 in steps of 0.0001, which is what Envoy can carry. */
  percent(name: string): number | undefined {
    const value = this.#number(name, (number) => number >= 0 && number <= 100, {
      type: 'a number from 0 to 100, four digits after the point at most',
      complaint: 'is not a percentage',
      remedy: 'a number from 0 to 100',
    });
    if (value === undefined) return undefined;
    const steps = Math.round(value * 10_000);
    if (Math.abs(steps - value * 10_000) < 1e-6) return steps / 10_000;
    this.invalid(name, `${value} is too fine; write at most four digits after the point`);
    return undefined;
  }

  /** A field that may hold a number or a name, where only the number matters. */
  numberOnly(name: string): number | undefined {
    const value = this.#value(name);
    return typeof value === 'number' ? value : undefined;
  }

  /** A duration in whole seconds, at most `max`: what the kernel can be told. */
  durationSeconds(name: string, max: number): number | undefined {
    const ms = this.durationMs(name);
    if (ms === undefined) return undefined;
    if (ms % 1_000 === 0 && ms <= max * 1_000) return ms / 1_000;
    this.invalid(name, `can't be kept to; write whole seconds from 1s to ${max}s`);
    return undefined;
  }

  durationMs(name: string): number | undefined {
    const value = this.#value(name, 'a duration above zero');
    if (value === undefined) return undefined;
    if (typeof value === 'number') {
      const remedy =
        value > 0 ? `write ${value}s or ${value}ms` : 'write a duration above zero, for example 500ms';
      this.invalid(name, `${value} has no unit; ${remedy}`);
      return undefined;
    }
    if (typeof value !== 'string') {
      this.invalid(
        name,
        `${describe(value)} is not a duration; write a number and a unit, for example 500ms`,
      );
      return undefined;
    }
    const { value: ms, problem } = parseDuration(value);
    if (problem !== undefined) this.invalid(name, problem);
    if (ms === 0)
      this.invalid(name, `"${value}" is no time at all; write a duration above zero, for example 500ms`);
    return ms === 0 ? undefined : ms;
  }

  /** One of several names, or its number as protobuf's writers may give it. */
  choice<T extends string>(name: string, noun: string, choices: readonly T[]): T | undefined {
    const value = this.#value(name, `one of ${choices.map((choice) => `\`${choice}\``).join(', ')}`);
    if (value === undefined) return undefined;
    const found = typeof value === 'number' ? choices[value] : choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    const meant = typeof value === 'string' ? nearest(value, choices) : undefined;
    const all = choices.join(', ');
    const what = meant === undefined ? quotedAs(NAME_LIKE, value) : describe(value);
    this.invalid(
      name,
      `${what} is not ${noun}; write ${meant === undefined ? `one of ${all}` : `${meant} (${all})`}`,
    );
    return undefined;
  }

  /**
   * Warns of every field that was not asked for, with the one that was probably meant; `prefix`: only of fields that
   * begin so, since the others are somebody else's.
   */
  done(homes: Homes = {}, prefix = ''): void {
    for (const name of this.names) {
      if (this.#asked.has(name) || !name.startsWith(prefix)) continue;
      // What all of them begin with says nothing of which is meant.
      const meant = nearestAfter(prefix, name, [...this.#asked]);
      const known = Object.keys(homes);
      const moved = known.includes(name) ? name : meant === undefined ? nearest(name, known) : undefined;
      const home = moved === undefined ? undefined : homes[moved];
      let remedy = 'remove it';
      if (home !== undefined) remedy = `move it into ${home}`;
      else if (meant !== undefined) remedy = `write ${meant}`;
      // The name itself may be what was meant as a value: `plain: {PASSWORD}`.
      const isNamed = !this.#isSecret || home !== undefined || meant !== undefined;
      const [path, message] = isNamed
        ? [this.at(name), 'is not a field here and has no effect']
        : [this.path, 'has a field that is none here and has no effect'];
      this.#report.add('warning', 'UnknownField', path, `${message}; ${remedy}`);
    }
  }

  #number(
    name: string,
    isRight: (value: number) => boolean,
    { type, complaint, remedy }: Readonly<Record<'type' | 'complaint' | 'remedy', string>>,
  ): number | undefined {
    const value = this.#value(name, type);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && isRight(value)) return value;
    const isQuoted = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) && isRight(Number(value));
    const right = isQuoted ? `${value} without quotes` : remedy;
    this.invalid(name, `${quotedAs(NUMBER_LIKE, value)} ${complaint}; write ${right}`);
    return undefined;
  }

  /** `type`: what it should be, in the words of the reference of fields. */
  #value(name: string, type?: string): unknown {
    this.#asked.add(name);
    if (type !== undefined) this.#report.onAsked?.(this.at(name), type);
    return (Object.hasOwn(this.#values, name) ? this.#values[name] : undefined) ?? undefined;
  }
}

function nearestAfter(prefix: string, name: string, candidates: readonly string[]): string | undefined {
  const rest = (text: string): string => text.slice(prefix.length);
  const meant = nearest(rest(name), candidates.filter((text) => text.startsWith(prefix)).map(rest));
  return meant === undefined ? undefined : `${prefix}${meant}`;
}

function isWhole(min: number, max: number): (value: number) => boolean {
  return (value) => Number.isInteger(value) && value >= min && value <= max;
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const NAME_LIKE = /^[a-z_-]{0,30}$/i;
const FLAG_LIKE = /^(?:true|false|yes|no|on|off|enabled?|disabled?|[yntf\d]|)$/i;
const NUMBER_LIKE = /^[-+]?[\d.,_]+ ?%?[a-z]{0,3}$|^$/i;

/** A text that is nothing of the kind may be meant for a field beside it, a password: it is not quoted. */
function quotedAs(form: RegExp, value: unknown): string {
  if (typeof value !== 'string' || form.test(value)) return describe(value);
  return 'this text';
}

/** The value as a message quotes it; not for what may be a password. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return `"${value.length > 100 ? `${value.slice(0, 100)}…` : value}"`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return kindOf(value);
}

function asText(value: unknown): string {
  return typeof value === 'object' ? 'write a single text' : 'write it in quotes';
}

export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? 'a text' : `a ${typeof value}`;
}
