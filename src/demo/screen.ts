/**
 * Where the demo shows itself: a table that is drawn anew on a terminal, a line a second elsewhere.
 */
import { tableText, type TableOptions } from './table.ts';
import { splitByRole } from './traffic.ts';

export type Shown = Omit<TableOptions, 'colour'> & { readonly elapsed: number };

const CLEAR_BELOW = '\x1b[J';

export class Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #isTerminal: boolean;
  readonly #colour: boolean;
  #drawnLines = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
    this.#isTerminal = out.isTTY;
    this.#colour = out.isTTY && (process.env['NO_COLOR'] ?? '') === '';
  }

  say(line: string): void {
    this.#out.write(`${line}\n`);
  }

  /** Says what is being done, and how long it took. */
  async step<T>(what: string, work: () => Promise<T>): Promise<T> {
    const started = Date.now();
    if (this.#isTerminal) this.#out.write(`  ${what} ...`);
    const result = await work();
    this.#out.write(
      `${this.#isTerminal ? '\r\x1b[K' : ''}  ${what}: ${((Date.now() - started) / 1_000).toFixed(1)} s\n`,
    );
    return result;
  }

  event(line: string): void {
    if (!this.#isTerminal) this.say(line);
  }

  show(shown: Shown): void {
    if (this.#isTerminal) {
      const text = tableText({ ...shown, colour: this.#colour });
      // Up to where the last table began, then over it: no flicker, and what was said before stays.
      const up = this.#drawnLines > 0 ? `\x1b[${this.#drawnLines}A\r` : '\n';
      this.#out.write(`${up}${CLEAR_BELOW}${text}\n`);
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

  /** What is said from now on stands below the table. */
  release(): void {
    this.#drawnLines = 0;
  }

  summary(shown: Shown): void {
    this.say(`\n${tableText({ ...shown, colour: this.#colour })}`);
  }
}
