/**
 * Keeps the status of every object right: what is wrong with it, and what the proxies of all replicas made of it.
 *
 *   this replica's streams ──> report ──> ConfigMap ──> the leader: all reports + Diagnostics ──> conditions ──> status
 */
import type { Diagnostic } from '../api/diagnostic.ts';
import { reasonOf } from '../sources/kubernetes/api-error.ts';
import type { KnownObject } from '../sources/kubernetes/held-objects.ts';
import { memoryTexts, type MemoryTexts, type Remembered } from '../sources/kubernetes/memory.ts';
import type { Generations } from '../world/observation.ts';
import { conditionsOf, type Condition, type InMesh, type Progress } from './conditions.ts';
import type { Lease } from './lease.ts';
import type { Report, Reports } from './reports.ts';
import type { StatusWriter } from './writer.ts';

export interface StatusInputs {
  objects(): Iterable<KnownObject>;
  /** Some of them are newer than what diagnostics and progress speak of; it is woken when they are not any more. */
  isBehind(): boolean;
  diagnostics(): readonly Diagnostic[];
  /** What the proxies of this replica made of each object that one of them gets, by `namespace/name`. */
  progress(): ReadonlyMap<string, Progress>;
  /** The views of the proxies of this replica. */
  views(): readonly string[];
  /** Which objects the proxies of a view get. */
  objectsOf(view: string): readonly string[];
  /** How far the EnvoyFilters of an object are, by `namespace/name`; undefined: nothing is known of any yet. */
  inMesh(): ((object: string) => InMesh | undefined) | undefined;
  /** What must survive a restart. */
  memory(): Remembered;
  /** How often all servers of a host were replaced, by this replica. */
  generations(): Generations;
  /** The same by another. */
  learn(generations: Generations): void;
}

export interface KeeperOptions {
  readonly inputs: StatusInputs;
  readonly lease: Pick<Lease, 'isHeld' | 'close'>;
  readonly reports: Pick<Reports, 'others' | 'publish' | 'sweep' | 'close'>;
  readonly writer: Pick<StatusWriter, 'current' | 'write'>;
  readonly writeMemory: (texts: MemoryTexts) => Promise<void>;
  readonly log: { error(message: string): void };
}

/** From a change to the writing: proxies answer meanwhile, so that one change is one write and not two. */
const GATHER_MS = 700;
/** So an object is written at most once in this time. */
const LEAST_MS = 1_000;
/** Shows the other replicas that this one lives, and tries again what failed. */
const BEAT_MS = 10_000;
/** So long may proxies take to come back: to a replica that has just started, or from one to another. */
const RETURN_MS = 40_000;

/** So long may it take to tell an API server that we go, which may not answer; it finds out by itself. */
const GOODBYE_MS = 5_000;

const UNSERVED: Progress = { isServed: false, isPending: false, rejections: [] };

export class StatusKeeper {
  readonly #options: KeeperOptions;
  #timer: NodeJS.Timeout | undefined;
  readonly #beat: NodeJS.Timeout;
  #isClosed = false;
  /** As we wrote it last; undefined: another may have, since. */
  #memory: string | undefined;
  #viewsOfOthers: readonly string[] = [];
  #lookedMs = Number.NEGATIVE_INFINITY;
  /** What the other replicas have not been told yet. */
  #news: Report | undefined;
  /** One thing after the other: what a slow API server is told late must not come after what is newer. */
  #telling: Promise<void> | undefined;
  /** What is not done, and why. */
  readonly #said = new Map<string, string>();
  /** undefined: it does not lead. */
  #leadsSinceMs: number | undefined;
  /** When some proxy was seen last that gets it, by `namespace/name`. */
  readonly #servedMs = new Map<string, number>();

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#beat = setInterval(() => this.wake(), BEAT_MS);
  }

  /** Something has changed that a status may speak of. */
  wake(): void {
    if (this.#isClosed) return;
    const earliestMs = this.#lookedMs + LEAST_MS - performance.now();
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#lookedMs = performance.now();
        this.#look();
      },
      Math.max(GATHER_MS, earliestMs),
    );
  }

  /** The views of the proxies of other replicas that the last look asked for: the next one does again. */
  get viewsOfOthers(): readonly string[] {
    return this.#viewsOfOthers;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#beat);
    await new Promise<void>((resolve) => {
      const limit = setTimeout(resolve, GOODBYE_MS);
      void this.#sayGoodbye().finally(() => {
        clearTimeout(limit);
        resolve();
      });
    });
  }

  async #sayGoodbye(): Promise<void> {
    await this.#telling;
    await this.#options.reports.close();
    await this.#options.lease.close();
  }

  #look(): void {
    const { inputs, lease, reports } = this.#options;
    let why: string | undefined;
    try {
      for (const { generations } of reports.others()) inputs.learn(new Map(Object.entries(generations)));
      const own = inputs.progress();
      const exceptions = [...own].filter(
        ([, { isPending, rejections }]) => isPending || rejections.length > 0,
      );
      if (lease.isHeld) this.#writeAll(own);
      else {
        this.#memory = undefined;
        this.#viewsOfOthers = [];
        this.#leadsSinceMs = undefined;
        this.#servedMs.clear();
      }
      this.#news = {
        views: inputs.views(),
        exceptions: Object.fromEntries(exceptions),
        generations: Object.fromEntries(inputs.generations()),
      };
    } catch (error) {
      why = reasonOf(error);
    }
    this.#say('the status was not written', why);
    this.#telling ??= this.#tell().finally(() => {
      this.#telling = undefined;
    });
  }

  async #tell(): Promise<void> {
    const { lease, reports } = this.#options;
    while (this.#news !== undefined && !this.#isClosed) {
      const report = this.#news;
      this.#news = undefined;
      if (lease.isHeld) {
        await this.#keepMemory();
        await reports.sweep();
      }
      await reports.publish(report);
    }
  }

  /** Once for as long as it is so. */
  #say(what: string, why: string | undefined): void {
    if (why !== undefined && why !== this.#said.get(what)) this.#options.log.error(`${what}: ${why}`);
    if (why === undefined) this.#said.delete(what);
    else this.#said.set(what, why);
  }

  async #keepMemory(): Promise<void> {
    let why: string | undefined;
    try {
      const texts = memoryTexts(this.#options.inputs.memory());
      const all = JSON.stringify(texts);
      if (all !== this.#memory) await this.#options.writeMemory(texts);
      this.#memory = all;
    } catch (error) {
      why = reasonOf(error);
    }
    this.#say('what must survive a restart was not stored', why);
  }

  #writeAll(own: ReadonlyMap<string, Progress>): void {
    const { inputs, reports, writer } = this.#options;
    const inMesh = inputs.inMesh();
    if (inMesh === undefined || inputs.isBehind()) return;
    const others = reports.others();
    const progress = merged(own, others, inputs);
    this.#viewsOfOthers = others.flatMap(({ views }) => views);
    const diagnostics = byObject(inputs.diagnostics());
    const mayReturn = this.#whatMayReturn(progress.keys());
    const nowIso = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    for (const object of inputs.objects()) {
      const { kind, namespace, name, generation } = object;
      const isReturning = mayReturn(`${namespace}/${name}`);
      const before = writer.current(object);
      const judged = {
        kind,
        generation,
        diagnostics: diagnostics.get(`${kind}/${namespace}/${name}`) ?? [],
        progress: progress.get(`${namespace}/${name}`) ?? UNSERVED,
        inMesh: kind === 'RedisService' ? inMesh(`${namespace}/${name}`) : undefined,
      };
      writer.write(
        object,
        conditionsOf(
          { ...judged, progress: steady(judged.progress, before, generation, isReturning) },
          before,
          nowIso,
        ),
      );
    }
  }

  /** Whether the proxies of an object may be on their way. `served`: the objects that some proxy gets now. */
  #whatMayReturn(served: Iterable<string>): (object: string) => boolean {
    const nowMs = performance.now();
    this.#leadsSinceMs ??= nowMs;
    for (const object of served) this.#servedMs.set(object, nowMs);
    for (const [object, ms] of this.#servedMs) {
      if (nowMs - ms >= RETURN_MS) this.#servedMs.delete(object);
    }
    const isNew = nowMs - this.#leadsSinceMs < RETURN_MS;
    return (object) => isNew || this.#servedMs.has(object);
  }
}

/** A proxy that has just come, or has not come back yet, must not take away what all had acknowledged. */
function steady(
  progress: Progress,
  before: readonly Condition[],
  generation: number,
  isReturning: boolean,
): Progress {
  const last = before.find(({ type }) => type === 'Programmed');
  const wasTrue = last?.status === 'True' && last.observedGeneration === generation;
  if (!wasTrue) return progress;
  return { ...progress, isPending: false, isServed: progress.isServed || isReturning };
}

function merged(
  own: ReadonlyMap<string, Progress>,
  reports: readonly Report[],
  inputs: StatusInputs,
): ReadonlyMap<string, Progress> {
  const all = new Map(own);
  const add = (object: string, progress: Progress): void => {
    const before = all.get(object) ?? UNSERVED;
    all.set(object, {
      isServed: before.isServed || progress.isServed,
      isPending: before.isPending || progress.isPending,
      rejections: [...before.rejections, ...progress.rejections],
    });
  };
  const views = new Set(reports.flatMap(({ views }) => views));
  for (const view of views) {
    for (const object of inputs.objectsOf(view)) add(object, { ...UNSERVED, isServed: true });
  }
  for (const { exceptions } of reports) {
    for (const [object, exception] of Object.entries(exceptions))
      add(object, { ...exception, isServed: true });
  }
  return all;
}

function byObject(diagnostics: readonly Diagnostic[]): ReadonlyMap<string, readonly Diagnostic[]> {
  const all = new Map<string, Diagnostic[]>();
  for (const diagnostic of diagnostics) {
    if (diagnostic.object === undefined) continue;
    const { kind, namespace, name } = diagnostic.object;
    const key = `${kind}/${namespace}/${name}`;
    const list = all.get(key);
    if (list === undefined) all.set(key, [diagnostic]);
    else list.push(diagnostic);
  }
  return all;
}
