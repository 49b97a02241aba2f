/**
 * Asks each host once whether it is a Redis Cluster, and goes on asking until it answers.
 *
 * Blocks nobody: answers are reported when they come. An answer is kept when its host can't be asked later, also while
 * nobody wants to know it. A host is asked again only where the question has changed: other addresses or credentials may
 * mean another Redis.
 */
import type { Logger } from 'pino';
import { Gauge, type Registry } from 'prom-client';

import type {
  ModeQuestion,
  ObservationChanges,
  ObservedMode,
  QuestionChanges,
} from '../../world/observation.ts';
import { askMode, type AskMode } from './ask-mode.ts';

/** How many hosts are asked at once. */
const CONCURRENT = 64;
/** Several at once, the first that answers is believed: one dead pod must not cost a start the answer. */
const ADDRESSES_A_ROUND = 3;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;
/** Each report plans anew: the first goes out at once, those that follow it this closely together. */
const GATHER_MS = 200;
/** How many answers are kept that nobody wants to know any more. */
const REMEMBERED = 1_000;

/** How long the first plan waits for what hosts say of themselves: as long as some do, and thousands may have to. */
export const FIRST_ANSWERS = { silentMs: 2_000, longestMs: 20_000 };

export interface ObserverOptions {
  readonly onChange: (changes: ObservationChanges) => void;
  readonly log: Logger;
  readonly metrics: Registry;
  readonly ask?: AskMode;
}

interface Asking {
  readonly question: ModeQuestion;
  readonly ended: AbortController;
  rounds: number;
  timer: NodeJS.Timeout | undefined;
}

export class ModeObserver {
  readonly #options: ObserverOptions;
  readonly #ask: AskMode;
  /** By upstream. */
  readonly #asking = new Map<string, Asking>();
  readonly #waiting: Asking[] = [];
  readonly #answers = new Map<string, ObservedMode>();
  /** Answered hosts that nobody asks for, the longest unwanted first. */
  readonly #unwanted = new Set<string>();
  #onTried: () => void = () => {};
  #onAnswer: () => void = () => {};
  readonly #gauge: Gauge<'host' | 'mode'>;
  #running = 0;
  #news = new Map<string, ObservedMode | undefined>();
  #reporting: NodeJS.Timeout | undefined;
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#ask = options.ask ?? askMode;
    this.#gauge = new Gauge({
      name: 'redpilot_observed_mode',
      help: 'What Redis hosts say of their own mode; 1 for each host that has answered',
      labelNames: ['host', 'mode'],
      // Of several workers, each of which asks.
      aggregator: 'max',
      registers: [options.metrics],
    });
  }

  /** Every answer that is kept, by host. */
  answers(): ReadonlyMap<string, ObservedMode> {
    return this.#answers;
  }

  /** What hosts said before a restart: true until they say something else. */
  recall(modes: ReadonlyMap<string, ObservedMode>): void {
    for (const [host, mode] of modes) {
      this.#answers.set(host, mode);
      this.#unwanted.add(host);
      this.#gauge.set({ host, mode }, 1);
    }
  }

  /** Takes over questions that came, changed or are asked no longer. */
  follow(questions: QuestionChanges): void {
    const withdrawn = new Set<string>();
    for (const [upstream, question] of questions) {
      const before = this.#stop(upstream);
      if (before !== undefined) withdrawn.add(before.question.host);
      if (question === undefined) continue;
      const asking: Asking = { question, ended: new AbortController(), rounds: 0, timer: undefined };
      this.#asking.set(upstream, asking);
      this.#enqueue(asking);
    }
    this.#setAside(withdrawn);
  }

  /**
   * Resolves when every host has answered, or could not be asked, once; earlier where none answers for `silentMs`, and at
   * the latest after `longestMs`.
   */
  async tried({
    silentMs,
    longestMs,
  }: {
    readonly silentMs: number;
    readonly longestMs: number;
  }): Promise<void> {
    if (this.#isTried()) return;
    const waiting = new Promise<void>((resolve) => {
      this.#onTried = resolve;
    });
    const giveUp = (): void => this.#onTried();
    const longest = setTimeout(giveUp, longestMs);
    let silent = setTimeout(giveUp, silentMs);
    this.#onAnswer = () => {
      clearTimeout(silent);
      silent = setTimeout(giveUp, silentMs);
    };
    await waiting;
    this.#onAnswer = () => {};
    clearTimeout(silent);
    clearTimeout(longest);
  }

  close(): Promise<void> {
    for (const upstream of this.#asking.keys()) this.#stop(upstream);
    clearTimeout(this.#reporting);
    return Promise.resolve();
  }

  #enqueue(asking: Asking): void {
    asking.timer = undefined;
    this.#waiting.push(asking);
    this.#next();
  }

  #next(): void {
    while (this.#running < CONCURRENT) {
      const asking = this.#waiting.shift();
      if (asking === undefined) break;
      if (asking.ended.signal.aborted) continue;
      this.#running += 1;
      void this.#round(asking).finally(() => {
        this.#running -= 1;
        this.#next();
        if (!this.#isTried()) return;
        this.#report();
        this.#onTried();
      });
    }
  }

  /** Never fails. */
  async #round(asking: Asking): Promise<void> {
    const { host, addresses } = asking.question;
    const from = (asking.rounds * ADDRESSES_A_ROUND) % addresses.length;
    const chosen = [...addresses.slice(from), ...addresses.slice(0, from)].slice(0, ADDRESSES_A_ROUND);
    const answered = new AbortController();
    const signal = AbortSignal.any([asking.ended.signal, answered.signal]);
    try {
      const mode = await Promise.any(chosen.map((address) => this.#ask(address, asking.question, signal)));
      if (asking.ended.signal.aborted) return;
      this.#onAnswer();
      this.#answered(host, mode);
    } catch (error) {
      if (!asking.ended.signal.aborted) this.#failed(asking, error);
    } finally {
      asking.rounds += 1;
      answered.abort();
    }
  }

  #answered(host: string, mode: ObservedMode): void {
    const { log } = this.#options;
    const before = this.#answers.get(host);
    if (before === mode) return;
    this.#answers.set(host, mode);
    if (before === undefined) {
      log.info({ host, mode }, `${host} says that its mode is ${mode}`);
    } else {
      this.#gauge.remove({ host, mode: before });
      log.warn({ host, mode, before }, `${host} says that its mode is ${mode}, which was ${before} before`);
    }
    this.#gauge.set({ host, mode }, 1);
    this.#tell(host, mode);
  }

  #failed(asking: Asking, error: unknown): void {
    const { host } = asking.question;
    const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
    const why = first instanceof Error ? first.message : String(first);
    const line = `${host} can't be asked for its mode: ${why}; it is asked again until it answers`;
    this.#options.log[asking.rounds === 0 ? 'warn' : 'debug']({ host }, line);
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(asking.rounds, 10));
    // Jitter: many hosts behind one failure don't come back at one moment.
    asking.timer = setTimeout(() => this.#enqueue(asking), pause * (0.5 + Math.random() / 2));
    asking.timer.unref();
  }

  #stop(upstream: string): Asking | undefined {
    const asking = this.#asking.get(upstream);
    this.#asking.delete(upstream);
    clearTimeout(asking?.timer);
    asking?.ended.abort();
    return asking;
  }

  /** Takes note of the hosts that nobody asks about any more, and forgets those that this is longest true of. */
  #setAside(withdrawn: ReadonlySet<string>): void {
    if (withdrawn.size === 0) return;
    const wanted = new Set([...this.#asking.values()].map(({ question }) => question.host));
    for (const host of withdrawn) this.#unwanted.add(host);
    for (const host of this.#unwanted) {
      if (wanted.has(host) || !this.#answers.has(host)) this.#unwanted.delete(host);
    }
    for (const host of [...this.#unwanted].slice(0, Math.max(0, this.#unwanted.size - REMEMBERED))) {
      this.#unwanted.delete(host);
      this.#gauge.remove({ host, mode: this.#answers.get(host) ?? '' });
      this.#answers.delete(host);
      this.#tell(host, undefined);
    }
  }

  #tell(host: string, mode: ObservedMode | undefined): void {
    this.#news.set(host, mode);
    const pause = Math.max(0, this.#reportedAt + GATHER_MS - performance.now());
    this.#reporting ??= setTimeout(() => this.#report(), pause);
  }

  #report(): void {
    clearTimeout(this.#reporting);
    this.#reporting = undefined;
    if (this.#news.size === 0) return;
    const news = this.#news;
    this.#news = new Map();
    this.#options.onChange(news);
    // After the work of it: a report that takes long must not fill all of the time.
    this.#reportedAt = performance.now();
  }

  #isTried(): boolean {
    for (const { rounds } of this.#asking.values()) if (rounds === 0) return false;
    return true;
  }
}
