/**
 * What the replicas tell each other of their own streams: a ConfigMap each, with what is not as it should be.
 *
 * Which objects a replica's proxies get follows from their views, since every replica makes the same plans; so only the
 * views are told, and of the objects only those that some proxy refused or has not acknowledged.
 */
import { ApiError, reasonOf } from '../sources/kubernetes/api-error.ts';
import type { ApiServer } from '../sources/kubernetes/api-server.ts';
import { Reflector, type RawObject } from '../sources/kubernetes/reflector.ts';
import { inOrder, type Progress } from './conditions.ts';

/** `view` is opaque here. */
export interface Report {
  readonly views: readonly string[];
  readonly exceptions: Readonly<Record<string, Pick<Progress, 'isPending' | 'rejections'>>>;
  /** Of the hosts whose servers were all replaced, how often: where one replica missed it, all others tell it. */
  readonly generations: Readonly<Record<string, number>>;
}

export interface ReportsOptions {
  readonly api: Pick<ApiServer, 'request' | 'lines'>;
  readonly namespace: string;
  readonly identity: string;
  /** Another replica's has changed. */
  readonly onChange: () => void;
  readonly log: { warn(message: string): void };
}

const LABEL = 'redpilot.dev/report';
/** Keeps a ConfigMap below the 1 MiB that it may have, whatever nodes call themselves and ask for. */
const MOST_BYTES = { views: 300_000, exceptions: 400_000, generations: 100_000 };
const LONGEST_WORDS = 300;
const LONGEST_NAME = 253;
const MOST_REJECTIONS = 4;
const BEAT_MS = 20_000;
/** A replica that has not been heard of for so long is gone, and its proxies are somewhere else. */
const STALE_MS = 65_000;
const FORGOTTEN_MS = 600_000;

interface Heard {
  readonly report: Report;
  readonly beat: string;
  readonly atMs: number;
}

export class Reports {
  readonly #options: ReportsOptions;
  readonly #heard = new Map<string, Heard>();
  readonly #reflector: Reflector;
  #running: Promise<void> = Promise.resolve();
  #published = '';
  #publishedMs = Number.NEGATIVE_INFINITY;
  #beats = 0;
  #problem = '';

  constructor(options: ReportsOptions) {
    this.#options = options;
    this.#reflector = new Reflector({
      api: options.api,
      path: this.#collection,
      apiVersion: 'v1',
      kind: 'ConfigMap',
      labelSelector: LABEL,
      onList: (objects) => {
        const names = new Set(objects.map(({ metadata }) => metadata.name));
        for (const name of this.#heard.keys()) if (!names.has(name)) this.#heard.delete(name);
        for (const object of objects) this.#hear(object);
        options.onChange();
      },
      onSet: (object) => {
        if (this.#hear(object)) options.onChange();
      },
      onDeleted: ({ metadata }) => {
        if (this.#heard.delete(metadata.name)) options.onChange();
      },
      onState: (state, why) => {
        if (state !== 'following') options.log.warn(`the other replicas' reports can't be read (${why})`);
      },
    });
  }

  start(): void {
    this.#running = this.#reflector.run();
  }

  /** Of the replicas that live, but for this one. */
  others(): readonly Report[] {
    const nowMs = performance.now();
    return [...this.#heard.values()]
      .filter(({ atMs }) => nowMs - atMs < STALE_MS)
      .map(({ report }) => report);
  }

  /** Writes it where it has changed, or to show that this replica lives. */
  async publish(report: Report): Promise<void> {
    const text = JSON.stringify(bounded(report));
    const isDue = performance.now() - this.#publishedMs > BEAT_MS;
    if (text === this.#published && !isDue) return;
    this.#beats += 1;
    try {
      await this.#options.api.request(`${this.#collection}/${this.#name}`, {
        method: 'PATCH',
        query: { fieldManager: 'redpilot', force: 'true' },
        contentType: 'application/apply-patch+yaml',
        body: {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: {
            name: this.#name,
            namespace: this.#options.namespace,
            labels: { [LABEL]: 'replica', 'app.kubernetes.io/part-of': 'redpilot' },
          },
          data: { report: text, beat: String(this.#beats) },
        },
      });
      this.#published = text;
      this.#publishedMs = performance.now();
      this.#problem = '';
    } catch (error) {
      this.#say(`the other replicas are not told of this one: ${reasonOf(error)}`);
    }
  }

  /** Removes those of replicas that are long gone; for the leader. */
  async sweep(): Promise<void> {
    const nowMs = performance.now();
    for (const [name, { atMs }] of this.#heard) {
      if (nowMs - atMs > FORGOTTEN_MS) await this.#delete(name);
    }
  }

  async close(): Promise<void> {
    this.#reflector.stop();
    await this.#running;
    if (this.#published !== '') await this.#delete(this.#name);
  }

  #hear(object: RawObject): boolean {
    const { name } = object.metadata;
    if (name === this.#name) return false;
    const { data } = object as RawObject & { readonly data?: Readonly<Record<string, string>> };
    const beat = data?.['beat'] ?? '';
    const before = this.#heard.get(name);
    if (before?.beat === beat) return false;
    const report = parseReport(data?.['report'] ?? '');
    if (report === undefined) return false;
    this.#heard.set(name, { report, beat, atMs: performance.now() });
    return JSON.stringify(before?.report) !== JSON.stringify(report);
  }

  async #delete(name: string): Promise<void> {
    try {
      await this.#options.api.request(`${this.#collection}/${name}`, { method: 'DELETE' });
    } catch (error) {
      const isGone = error instanceof ApiError && error.status === 404;
      if (!isGone) this.#say(`ConfigMap ${name} was not deleted: ${reasonOf(error)}`);
    }
  }

  #say(problem: string): void {
    if (problem !== this.#problem) this.#options.log.warn(problem);
    this.#problem = problem;
  }

  get #name(): string {
    return `redpilot-replica-${this.#options.identity}`;
  }

  get #collection(): string {
    return `/api/v1/namespaces/${this.#options.namespace}/configmaps`;
  }
}

/** As much as has room: the shortest views, and rejections before what is merely late. Equal for equal content. */
function bounded({ views, exceptions, generations }: Report): Report {
  const byLength = [...views].sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  const byGravity = Object.entries(exceptions)
    .sort(([a, x], [b, y]) => y.rejections.length - x.rejections.length || (a < b ? -1 : 1))
    .map(([object, { isPending, rejections }]) => {
      const shortened = inOrder(rejections)
        .slice(0, MOST_REJECTIONS)
        .map(({ node, message }) => ({
          node: node.slice(0, LONGEST_NAME),
          message: message.slice(0, LONGEST_WORDS),
        }));
      return [object, { isPending, rejections: shortened }] as const;
    });
  const byHost = Object.entries(generations).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    views: withRoom(byLength, MOST_BYTES.views),
    exceptions: Object.fromEntries(withRoom(byGravity, MOST_BYTES.exceptions)),
    generations: Object.fromEntries(withRoom(byHost, MOST_BYTES.generations)),
  };
}

function withRoom<T>(items: readonly T[], mostBytes: number): readonly T[] {
  let bytes = 0;
  const end = items.findIndex((item) => (bytes += Buffer.byteLength(JSON.stringify(item)) + 1) > mostBytes);
  return end === -1 ? items : items.slice(0, end);
}

/** Another version of redpilot may have written it. */
function parseReport(text: string): Report | undefined {
  try {
    const { views, exceptions, generations = {} } = JSON.parse(text) as Partial<Report>;
    const isReport = Array.isArray(views) && typeof exceptions === 'object';
    return isReport ? { views, exceptions, generations } : undefined;
  } catch {
    return undefined;
  }
}
