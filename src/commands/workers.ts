/**
 * Several processes that do the same (`--workers`): each carries out the same plan and listens on the same addresses; the
 * first process starts them, starts another where one ends, asks them what is to be seen, and tells each how many clients
 * the others have.
 */
import cluster, { type Worker } from 'node:cluster';

import type { Logger } from 'pino';

import { Backoff } from '../sources/backoff.ts';
import { PATIENCE, WorkerWatch, type Patience } from './worker-watch.ts';

/** What a worker says of itself. */
export interface WorkerReport {
  readonly pid: number;
  /** undefined: ready. */
  readonly notReady?: string | undefined;
  /** As prom-client writes a registry. */
  readonly metrics: readonly object[];
  readonly listeners: unknown;
  readonly topology: unknown;
}

type ToWorker =
  /** The first message to each: what workers before it have read. */
  | { readonly kind: 'memory'; readonly read: readonly (readonly [what: string, text: string])[] }
  | { readonly kind: 'ask'; readonly id: number }
  | { readonly kind: 'ping' }
  | { readonly kind: 'others'; readonly clients: number }
  | { readonly kind: 'stop' };

type ToPrimary =
  | { readonly kind: 'started' }
  | { readonly kind: 'pong' }
  | { readonly kind: 'clients'; readonly count: number }
  | { readonly kind: 'read'; readonly what: string; readonly text: string }
  | { readonly kind: 'report'; readonly id: number; readonly report: WorkerReport };

/** Of the report that nobody asks for: the last one. */
const UNASKED = 0;

export interface WorkersOptions {
  readonly log: Logger;
  readonly stopMs: number;
  /** Told of each as it comes: what a worker says last is noted last. */
  readonly onReport: (number: number, report: WorkerReport) => void;
  /** With a worker that does not answer. */
  readonly patience?: Patience;
}

/** A worker that does not answer by then is left out. */
const ANSWER_MS = 1_000;
/** One that ends so soon is not started again at once, and ever later while that does not help: a start costs a second of processor time. */
const SOON_MS = 1_000;
/** Which of the workers it is, from 1 on. */
const NUMBER = 'REDPILOT_WORKER';

export class Workers {
  readonly #log: Logger;
  readonly #stopMs: number;
  readonly #onReport: WorkersOptions['onReport'];
  readonly #patience: Patience;
  /** By number. */
  readonly #running = new Map<number, Worker>();
  readonly #clients = new Map<number, number>();
  readonly #waiting = new Map<number, (report: WorkerReport) => void>();
  /** Of files that may be unusable by the time a worker has to be started again. */
  readonly #read = new Map<string, string>();
  readonly #restarts = new Set<NodeJS.Timeout>();
  readonly #backoffs = new Map<number, Backoff>();
  #asked = UNASKED;
  #isClosing = false;

  private constructor({ log, stopMs, onReport, patience = PATIENCE }: WorkersOptions) {
    this.#log = log;
    this.#stopMs = stopMs;
    this.#onReport = onReport;
    this.#patience = patience;
  }

  /** Resolves when all have started; undefined: one can't, and its own line says why. */
  static async start(count: number, options: WorkersOptions): Promise<Workers | undefined> {
    const workers = new Workers(options);
    try {
      // What keeps one from starting keeps all, and needs to be said once.
      await workers.#start(1);
      await Promise.all(Array.from({ length: count - 1 }, (_, index) => workers.#start(index + 2)));
      return workers;
    } catch {
      await workers.close();
      return undefined;
    }
  }

  /** Of those that answer, by number. */
  async reports(): Promise<ReadonlyMap<number, WorkerReport>> {
    const asked = [...this.#running].map(async ([number, worker]) => {
      const report = await this.#ask(worker);
      return report === undefined ? [] : [[number, report] as const];
    });
    return new Map((await Promise.all(asked)).flat());
  }

  /** Each answers what it was asked, and ends. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    const ended = [...this.#running.values()].map((worker) => {
      send(worker, { kind: 'stop' });
      const limit = setTimeout(() => worker.process.kill('SIGKILL'), this.#stopMs);
      return new Promise<void>((resolve) => {
        worker.once('exit', () => {
          clearTimeout(limit);
          resolve();
        });
      });
    });
    await Promise.all(ended);
  }

  async #start(number: number): Promise<void> {
    const worker = cluster.fork({ [NUMBER]: String(number) });
    const startedAt = performance.now();
    this.#running.set(number, worker);
    send(worker, { kind: 'memory', read: [...this.#read] });
    const watch = new WorkerWatch(
      this.#patience,
      () => send(worker, { kind: 'ping' }),
      () => {
        this.#log.error({ worker: number }, 'a worker does not answer and is ended');
        worker.process.kill('SIGKILL');
      },
    );
    await new Promise<void>((resolve, reject) => {
      let hasStarted = false;
      worker.on('message', (message: ToPrimary) => {
        watch.answered();
        if (message.kind === 'started') {
          hasStarted = true;
          resolve();
        } else if (message.kind === 'clients') {
          this.#clients.set(number, message.count);
          this.#tellOthers();
        } else if (message.kind === 'read') {
          this.#read.set(message.what, message.text);
        } else if (message.kind === 'report') {
          this.#onReport(number, message.report);
          this.#waiting.get(message.id)?.(message.report);
        }
      });
      const ended = (how: string): void => {
        watch.end();
        this.#running.delete(number);
        this.#clients.delete(number);
        this.#tellOthers();
        if (this.#isClosing) return resolve();
        if (!hasStarted) reject(new Error(`worker ${number} did not start (${how})`));
        else this.#startAgain(number, startedAt, how);
      };
      worker.once('exit', (code, signal) => ended(signal ?? `status ${code}`));
      worker.on('error', (error) => {
        this.#log.error({ worker: number, how: error.message }, 'a worker can not be reached');
        // No process was made, and none will exit.
        if (worker.process.pid === undefined) ended(error.message);
      });
    });
    // What was told before it was there.
    this.#tellOthers();
  }

  #startAgain(number: number, startedAt: number, how: string): void {
    this.#log.error({ worker: number, how }, 'a worker ended; another one takes its place');
    const backoff = this.#backoffs.get(number) ?? new Backoff();
    this.#backoffs.set(number, backoff);
    const isSoon = performance.now() - startedAt < SOON_MS;
    if (!isSoon) backoff.reset();
    const delay = isSoon ? backoff.next() : 0;
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      if (this.#isClosing) return;
      this.#start(number).catch((error: unknown) =>
        this.#startAgain(number, performance.now(), error instanceof Error ? error.message : String(error)),
      );
    }, delay);
    this.#restarts.add(timer);
  }

  async #ask(worker: Worker): Promise<WorkerReport | undefined> {
    this.#asked += 1;
    const id = this.#asked;
    return await new Promise((resolve) => {
      const limit = setTimeout(() => end(undefined), ANSWER_MS);
      const end = (report: WorkerReport | undefined): void => {
        clearTimeout(limit);
        this.#waiting.delete(id);
        resolve(report);
      };
      this.#waiting.set(id, end);
      send(worker, { kind: 'ask', id });
    });
  }

  #tellOthers(): void {
    let all = 0;
    for (const count of this.#clients.values()) all += count;
    for (const [number, worker] of this.#running) {
      send(worker, { kind: 'others', clients: all - (this.#clients.get(number) ?? 0) });
    }
  }
}

function send(worker: Worker, message: ToWorker): void {
  // Fails where it is just ending, which 'exit' tells.
  if (worker.isConnected()) worker.send(message, () => {});
}

/** From 1 on; undefined: this process is not one of several. */
export function workerNumber(): number | undefined {
  return cluster.isWorker ? Number(process.env[NUMBER]) : undefined;
}

/** What was read last, by this worker or one before it. */
export interface Memory {
  recall(what: string): string | undefined;
  keep(what: string, text: string): void;
}

/** As a worker sees it: make it first of all, since what comes while only some listen is lost. */
export class FirstProcess {
  /** Told how many clients the other workers have. */
  onOthers: (clients: number) => void = () => {};
  /** It is answered with that; undefined: there is nothing to say yet. */
  report: (() => Promise<WorkerReport>) | undefined;
  /** Resolves when it wants this worker to end. */
  readonly stopAsked: Promise<void>;
  readonly #read: Promise<ReadonlyMap<string, string>>;
  #isCounting = false;

  constructor() {
    let remember: (read: ReadonlyMap<string, string>) => void;
    this.#read = new Promise((resolve) => {
      remember = resolve;
    });
    this.stopAsked = new Promise((resolve) => {
      process.on('message', (message: ToWorker) => {
        switch (message.kind) {
          case 'memory':
            return remember(new Map(message.read));
          case 'ask':
            return void this.#answer(message.id);
          case 'ping':
            return tell({ kind: 'pong' });
          case 'others':
            return this.onOthers(message.clients);
          case 'stop':
            return resolve();
        }
      });
    });
  }

  async memory(): Promise<Memory> {
    const read = await this.#read;
    return {
      recall: (what) => read.get(what),
      keep: (what, text) => tell({ kind: 'read', what, text }),
    };
  }

  /** Nothing is counted any more; what it has counted would end with it. From now on it says nothing. */
  async tellLast(): Promise<void> {
    await this.#answer(UNASKED);
    this.report = undefined;
  }

  async #answer(id: number): Promise<void> {
    const report = await this.report?.();
    if (report !== undefined) tell({ kind: 'report', id, report });
  }

  started(): void {
    tell({ kind: 'started' });
  }

  /** Many changes of one turn are told once. */
  countClients(count: () => number): void {
    if (this.#isCounting) return;
    this.#isCounting = true;
    setImmediate(() => {
      this.#isCounting = false;
      tell({ kind: 'clients', count: count() });
    });
  }
}

/** A worker that has nothing more to do ends then by itself. */
export function leaveFirstProcess(): void {
  if (!process.connected) return;
  // The first process may be gone already, without our having heard of it.
  cluster.worker?.on('error', () => {});
  cluster.worker?.disconnect();
}

function tell(message: ToPrimary): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}
