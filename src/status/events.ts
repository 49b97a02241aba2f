/**
 * Events for what a person should notice: that an object stopped to be in force, and that it is again.
 */
import { reasonOf } from '../sources/kubernetes/api-error.ts';
import type { ApiServer } from '../sources/kubernetes/api-server.ts';
import type { KnownObject } from '../sources/kubernetes/held-objects.ts';
import type { Condition } from './conditions.ts';

export interface Notice {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
}

export interface EventsOptions {
  readonly api: Pick<ApiServer, 'request'>;
  readonly identity: string;
  readonly log: { warn(message: string): void };
}

/** The same of an object is told once in that time. */
const QUIET_MS = 300_000;
/** The API server's limits; that of notes is in bytes. */
const LONGEST_NOTE = 1_024;
const LONGEST_NAME = 253;

/** What became worse is told, and that all is well again; an object that was never judged has no news. */
export function noticesOf(before: readonly Condition[], after: readonly Condition[]): readonly Notice[] {
  const statusIn = (conditions: readonly Condition[], type: string): Condition | undefined =>
    conditions.find((condition) => condition.type === type);
  const worse = ['Accepted', 'ResolvedRefs', 'Programmed'].flatMap((type): readonly Notice[] => {
    const now = statusIn(after, type);
    if (now?.status !== 'False') return [];
    const last = statusIn(before, type);
    const isNew = last?.status !== 'False' || last.reason !== now.reason;
    return isNew ? [{ type: 'Warning', reason: now.reason, note: now.message }] : [];
  });
  // One cause can make several conditions false; the first of them says it best.
  const told = worse.filter(
    ({ reason }, index) => worse.findIndex((other) => other.reason === reason) === index,
  );
  const programmed = statusIn(after, 'Programmed');
  const isMended = programmed?.status === 'True' && statusIn(before, 'Programmed')?.status === 'False';
  if (!isMended) return told;
  return [...told, { type: 'Normal', reason: programmed.reason, note: programmed.message }];
}

export class Events {
  readonly #options: EventsOptions;
  /** When it was told last, by object and reason. */
  readonly #told = new Map<string, number>();
  #count = 0;
  #problem = '';

  constructor(options: EventsOptions) {
    this.#options = options;
  }

  async tell(object: KnownObject, notices: readonly Notice[]): Promise<void> {
    const nowMs = performance.now();
    for (const [key, atMs] of this.#told) if (nowMs - atMs > QUIET_MS) this.#told.delete(key);
    for (const notice of notices) {
      const key = `${object.uid} ${notice.reason}`;
      if (this.#told.has(key)) continue;
      this.#told.set(key, nowMs);
      await this.#send(object, notice);
    }
  }

  async #send({ kind, namespace, name, uid }: KnownObject, { type, reason, note }: Notice): Promise<void> {
    const { api, identity, log } = this.#options;
    this.#count += 1;
    try {
      await api.request(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`, {
        method: 'POST',
        body: {
          apiVersion: 'events.k8s.io/v1',
          kind: 'Event',
          metadata: { name: eventName(name, `${identity}-${this.#count}`), namespace },
          eventTime: new Date().toISOString().replace('Z', '000Z'),
          reportingController: 'redpilot.dev/control-plane',
          reportingInstance: identity,
          action: 'Judge',
          type,
          reason,
          note: cut(note),
          regarding: { apiVersion: 'redis.aeraki.io/v1alpha1', kind, namespace, name, uid },
        },
      });
      this.#problem = '';
    } catch (error) {
      const why = reasonOf(error);
      if (why !== this.#problem) log.warn(`an event was not written: ${why}`);
      this.#problem = why;
    }
  }
}

function eventName(object: string, ending: string): string {
  const beginning = object.slice(0, LONGEST_NAME - ending.length - 1).replace(/[.-]+$/, '');
  return `${beginning}.${ending}`;
}

/** Between two characters. */
function cut(note: string): string {
  return Buffer.from(note)
    .subarray(0, LONGEST_NOTE)
    .toString()
    .replace(/\ufffd+$/, '');
}
