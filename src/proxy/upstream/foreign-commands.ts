/**
 * What Redis says of commands: of those that our table lacks, asked by name when one comes (COMMAND INFO), or of all where a
 * client wants to know that; remembered for each upstream.
 *
 * One question at a time, with all the names that have come meanwhile: a client that invents names is no burden.
 */
import type { CommandEntry } from '../../redis/command-spec.ts';
import { foreignCommand, type Foreign } from '../../redis/foreign-command.ts';

/** After that a command is asked for again, in case a module came, went or changed. */
const KNOWN_MS = 60_000;
const UNKNOWN_MS = 2_000;
const REMEMBERED = 1_000;
const NAMES_ASKED = 100;

/** `unknown`: Redis does not know it either. */
export type Finding = Foreign | 'unknown' | 'unreachable';

/** Entries in order, null for what it does not know; an Error where it won't say; undefined: nobody answers. */
type Ask = (names: readonly string[]) => Promise<readonly (CommandEntry | null)[] | Error | undefined>;
type AskAll = () => Promise<readonly CommandEntry[] | Error | undefined>;

export class ForeignCommands {
  readonly #ask: Ask;
  readonly #askForAll: AskAll;
  /** The oldest first. */
  readonly #known = new Map<string, { readonly finding: Finding; readonly until: number }>();
  readonly #waiting = new Map<string, (() => void)[]>();
  #isAsking = false;
  #all: { readonly entries: Promise<readonly CommandEntry[]>; until: number } | undefined;

  constructor(ask: Ask, askForAll: AskAll) {
    this.#ask = ask;
    this.#askForAll = askForAll;
  }

  /** All that a server knows, as it describes them; none where nobody answers. Of renamed ones it lists the name from before. */
  async all(): Promise<readonly CommandEntry[]> {
    if (this.#all === undefined || this.#all.until < performance.now()) {
      const all = { entries: this.#learnAll(), until: Infinity };
      this.#all = all;
      const found = await all.entries;
      all.until = performance.now() + (found.length > 0 ? KNOWN_MS : UNKNOWN_MS);
    }
    return await this.#all.entries;
  }

  async #learnAll(): Promise<readonly CommandEntry[]> {
    const answer = await this.#askForAll();
    return answer === undefined || answer instanceof Error ? [] : answer;
  }

  /** undefined: it has to be asked for. `name` in lower case. */
  find(name: string): Finding | undefined {
    const known = this.#known.get(name);
    return known === undefined || known.until < performance.now() ? undefined : known.finding;
  }

  /** Resolves with what Redis says now. */
  async learn(name: string): Promise<Finding> {
    await new Promise<void>((resolve) => {
      const waiting = this.#waiting.get(name);
      if (waiting === undefined) this.#waiting.set(name, [resolve]);
      else waiting.push(resolve);
      void this.#askAll();
    });
    return this.#known.get(name)?.finding ?? 'unreachable';
  }

  async #askAll(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#waiting.size > 0) {
      const batch = [...this.#waiting].slice(0, NAMES_ASKED);
      for (const [name] of batch) this.#waiting.delete(name);
      const names = batch.map(([name]) => name);
      const answer = await this.#ask(names);
      for (const [index, [name, tell]] of batch.entries()) {
        this.#note(name, answer, index);
        for (const each of tell) each();
      }
    }
    this.#isAsking = false;
  }

  #note(name: string, answer: readonly (CommandEntry | null)[] | Error | undefined, index: number): void {
    const before = this.#known.get(name)?.finding;
    this.#known.delete(name);
    // Nobody answers: what was known is as good as ever.
    if (answer === undefined) {
      if (before !== undefined)
        this.#known.set(name, { finding: before, until: performance.now() + UNKNOWN_MS });
      return;
    }
    const entry = answer instanceof Error ? null : answer[index];
    const finding: Finding =
      answer instanceof Error
        ? { refusal: `Redis does not let the proxy ask for it: ${answer.message}` }
        : entry === null || entry === undefined
          ? 'unknown'
          : foreignCommand(name, entry);
    const isKnown = typeof finding === 'object' && 'command' in finding;
    this.#known.set(name, { finding, until: performance.now() + (isKnown ? KNOWN_MS : UNKNOWN_MS) });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= REMEMBERED) break;
      this.#known.delete(oldest);
    }
  }
}
