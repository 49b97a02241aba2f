/**
 * Where the demo shows itself: a table that is redrawn on a terminal, a line a second elsewhere.
 */
import { tableText, type TableOptions } from './table.ts';
import { splitByRole } from './traffic.ts';

export type Shown = Omit<TableOptions, 'colour' | 'events' | 'columns'> & { readonly elapsed: number };

/** What is said to: process.stdout, or a test's own. */
export interface Output {
  readonly isTTY?: boolean;
  /** Lines of the terminal. */
  readonly rows?: number;
  readonly columns?: number;
  write(text: string): unknown;
}

const CLEAR_BELOW = '\x1b[J';
/** A line longer than the terminal is cut: wrapped by the terminal, it would be more lines than are counted. */
const WRAP = { off: '\x1b[?7l', on: '\x1b[?7h' };
const KEPT_EVENTS = 5;
/** A narrower terminal does not say its width: some say 0. */
const LEAST_COLUMNS = 20;

export class Screen {
  readonly #out: Output;
  readonly #isTerminal: boolean;
  readonly #colour: boolean;
  readonly #now: () => Date;
  readonly #events: string[] = [];
  #drawnLines = 0;

  constructor(out: Output, now: () => Date = () => new Date()) {
    this.#out = out;
    // A dumb one knows no way up.
    this.#isTerminal = out.isTTY === true && process.env['TERM'] !== 'dumb';
    this.#colour = this.#isTerminal && (process.env['NO_COLOR'] ?? '') === '';
    this.#now = now;
  }

  say(line: string): void {
    this.#out.write(`${line}\n`);
  }

  /** Says what is being done, and how long it took. */
  async step<T>(what: string, work: () => Promise<T>): Promise<T> {
    const started = Date.now();
    if (this.#isTerminal) this.#out.write(`${WRAP.off}  ${what} ...${WRAP.on}`);
    try {
      const result = await work();
      const seconds = ((Date.now() - started) / 1_000).toFixed(1);
      this.#out.write(`${this.#isTerminal ? '\r\x1b[K' : ''}  ${what}: ${seconds} s\n`);
      return result;
    } catch (error) {
      if (this.#isTerminal) this.#out.write('\n');
      throw error;
    }
  }

  /** Something that happened, with its time: below the table where there is one. */
  event(text: string): void {
    const line = `${this.#now().toTimeString().slice(0, 8)} ${text}`;
    this.#events.push(line);
    if (this.#events.length > KEPT_EVENTS) this.#events.shift();
    if (!this.#isTerminal) this.say(line);
    else if (this.#drawnLines === 0) this.say(`\r\x1b[K  ${line}`);
  }

  show(shown: Shown): void {
    // From a terminal that is lower than the table its first lines have gone, and nothing is drawn over them.
    const most = (this.#out.rows ?? Infinity) - 1;
    const fits = (table: string): boolean => table.split('\n').length <= most;
    let text = this.#table(shown, this.#events);
    for (let left = 1; left <= this.#events.length && !fits(text); left += 1) {
      text = this.#table(shown, this.#events.slice(left));
    }
    if (this.#isTerminal && fits(text)) {
      // Up to where the last table began, then over it: no flicker, and what was said before stays.
      const up = this.#drawnLines > 0 ? `\x1b[${this.#drawnLines}A\r` : '\n';
      this.#out.write(`${up}${CLEAR_BELOW}${WRAP.off}${text}${WRAP.on}\n`);
      this.#drawnLines = text.split('\n').length;
      return;
    }
    const { policy, rows, elapsed } = shown;
    const split = splitByRole(rows.flatMap(({ counts }) => counts ?? []));
    this.say(
      `${Math.round(elapsed)} s ${policy}: reads/s ${split.readsOnPrimaries} on primaries, ${split.readsOnReplicas} on replicas; ` +
        `writes/s ${split.writesOnPrimaries} on primaries, ${split.writesOnReplicas} on replicas`,
    );
  }

  /** Of the whole time, below all that was said. */
  summary(shown: Shown): void {
    const events = this.#isTerminal ? this.#events : [];
    this.say(`\n${this.#table(shown, events)}`);
    this.#drawnLines = 0;
  }

  #table(shown: Shown, events: readonly string[]): string {
    const columns = this.#out.columns ?? 0;
    const width = this.#isTerminal && columns >= LEAST_COLUMNS ? { columns } : {};
    return tableText({ ...shown, ...width, events, colour: this.#colour });
  }
}
