/**
 * How much a host may say in one answer about itself. Whoever reads it keeps all of it until its end, and makes room for as many
 * values as are announced: a dozen bytes of a wrong host would take all memory.
 */
/** CLUSTER SLOTS where no two neighbouring slots are together, of six nodes a shard, is half of that. */
const MOST_BYTES = 33_554_432;
const MOST_VALUES = 4_194_304;
/** Redis has up to eight (COMMAND). */
const DEEPEST = 32;

export const SAYS_TOO_MUCH =
  'it answers more than any Redis has to say of itself, so it is none; give the address of one';

const LF = 10;
const CR = 13;
const MINUS = 0x2d;
const STRINGS: ReadonlySet<string> = new Set(['$', '=', '!']);
/** How many values each announces with a number. */
const LISTS: ReadonlyMap<string, number> = new Map([
  ['*', 1],
  ['~', 1],
  ['>', 1],
  ['%', 2],
  ['|', 2],
]);

export class AnswerLimit {
  /** Of the answer that has begun. */
  #bytes = 0;
  #values = 0;
  /** Of each list in which the next value is: how many are missing, that one included. */
  readonly #missing: number[] = [];
  /** Of a string and its line's end. */
  #toSkip = 0;
  /** Of the line that has begun; empty: none has. */
  #type = '';
  #number = 0;
  #isNull = false;

  /** False: that, with what came before of the same answer, is too much. */
  allows(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length;) {
      const from = at;
      if (this.#toSkip > 0) {
        at = Math.min(chunk.length, at + this.#toSkip);
        this.#toSkip -= at - from;
        if (this.#toSkip === 0) this.#end();
      } else {
        at += 1;
        this.#take(chunk[from]!);
      }
      // An answer that has just ended counts as none.
      this.#bytes = this.#isBetween ? 0 : this.#bytes + at - from;
      if (this.#bytes > MOST_BYTES || this.#values > MOST_VALUES) return false;
      if (this.#missing.length > DEEPEST) return false;
    }
    return true;
  }

  get #isBetween(): boolean {
    return this.#type === '' && this.#toSkip === 0 && this.#missing.length === 0;
  }

  #take(byte: number): void {
    if (this.#type === '') {
      this.#type = String.fromCharCode(byte);
      this.#number = 0;
      this.#isNull = false;
    } else if (byte === LF) {
      this.#endLine();
    } else if (byte === MINUS) {
      this.#isNull = true;
    } else if (byte !== CR) {
      this.#number = this.#number * 10 + byte - 0x30;
    }
  }

  #endLine(): void {
    const type = this.#type;
    const announced = this.#isNull ? 0 : this.#number;
    this.#type = '';
    const values = announced * (LISTS.get(type) ?? 0);
    this.#values += values;
    if (values > 0) this.#missing.push(values);
    else if (STRINGS.has(type) && !this.#isNull) this.#toSkip = announced + 2;
    else this.#end();
  }

  /** Of a value, and of all lists of which it is the last. */
  #end(): void {
    const missing = this.#missing;
    while (missing.length > 0) {
      missing[missing.length - 1]! -= 1;
      if (missing.at(-1)! > 0) return;
      missing.pop();
    }
    this.#values = 0;
  }
}
