/**
 * An API server that answers as a test says: a list or a watch at a time, in the order in which they are asked for.
 */
import { ApiError } from '../../../src/sources/kubernetes/api-error.ts';
import type { ApiRequest, Lines, Query } from '../../../src/sources/kubernetes/api-server.ts';
import type { RawObject } from '../../../src/sources/kubernetes/reflector.ts';

export interface OpenWatch {
  readonly query: Query;
  event(type: string, object: unknown): void;
  /** Ends it; with an error it breaks. */
  end(error?: Error): void;
}

type Answer = { readonly list: unknown } | { readonly error: Error };

export class ScriptedApi {
  readonly asked: Query[] = [];
  readonly watches: OpenWatch[] = [];
  #answers: Answer[] = [];
  #watchErrors: Error[] = [];

  /** The next list, or page of it. */
  willList(items: readonly RawObject[] | null, version: string, continuation = ''): void {
    const metadata = { resourceVersion: version, continue: continuation };
    this.#answers.push({ list: { items, metadata } });
  }

  willAnswer(list: unknown): void {
    this.#answers.push({ list });
  }

  willFail(status: number, message = `status ${status}`): void {
    this.#answers.push({ error: new ApiError(status, String(status), message) });
  }

  willRefuseToWatch(status: number): void {
    this.#watchErrors.push(new ApiError(status, String(status), `status ${status}`));
  }

  async request(_path: string, { query = {} }: ApiRequest = {}): Promise<unknown> {
    this.asked.push(query);
    const answer = this.#answers.shift();
    if (answer === undefined) throw new ApiError(0, 'Unreachable', 'connection refused');
    if ('error' in answer) throw answer.error;
    return answer.list;
  }

  async lines(_path: string, { query = {}, signal }: ApiRequest, { onOpen, onLine }: Lines): Promise<void> {
    const refusal = this.#watchErrors.shift();
    if (refusal !== undefined) throw refusal;
    onOpen?.();
    await new Promise<void>((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(new Error('stopped')));
      this.watches.push({
        query,
        event: (type, object) => {
          try {
            onLine(JSON.stringify({ type, object }));
          } catch (error) {
            reject(error);
          }
        },
        end: (error) => (error === undefined ? resolve() : reject(error)),
      });
    });
  }
}

export function raw(name: string, version = '1'): RawObject {
  return { metadata: { name, namespace: 'redis', resourceVersion: version } };
}
