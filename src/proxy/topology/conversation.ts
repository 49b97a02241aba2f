/**
 * Talking with a node *about* it: topology, roles, health. Off the hot path, one connection a node.
 */
import { Redis } from 'ioredis';

import { isCommandEntry, type CommandEntry } from '../../redis/command-spec.ts';
import { Connector } from '../../sources/observations/connector.ts';
import { clientTlsOptions } from '../../sources/observations/tls-options.ts';
import { isReply, refusalOfLogin } from '../../sources/observations/login.ts';
import { problemOf, turnedAway } from '../../sources/observations/connection-problem.ts';
import { patience } from '../wire/patience.ts';
import type { NodeOptions } from './node-options.ts';

/** Longer than that is no answer. */
export const ANSWER_MS = 500;

/**
 * Then it is asked by another connection, and its name resolved again: of one whose host is lost the kernel says so after a
 * quarter of an hour.
 */
const SILENT_MS = 2_000;

/** Each login that is refused is an entry in the log of the server's ACL. */
export const LOGIN_AGAIN_MS = 2_000;

class LoginRefused extends Error {}

export type Answer = { readonly values: readonly unknown[] } | Failure;

export interface Failure {
  /** `refused`: it does not let us in. */
  readonly failure: 'gone' | 'silent' | 'refused';
  /** As Redis says it, or as `problemOf`. */
  readonly why: string;
}

export class Conversation {
  readonly #options: NodeOptions;
  #client: Redis;
  readonly #lost: (hasEnded: boolean) => void;
  #problem: Error | undefined;
  #isClosed = false;
  #connecting: Promise<void> | undefined;
  /** Connected, and let in. */
  #isIn = false;
  /** When it last answered, or was connected to. */
  #heardAt = 0;

  /** `lost`: told when its connection is gone; `hasEnded` false: it was silent for so long, and is asked by another one. */
  constructor(options: NodeOptions, lost: (hasEnded: boolean) => void = () => {}) {
    this.#lost = lost;
    this.#options = options;
    this.#client = this.#newClient();
  }

  #newClient(): Redis {
    const { host, port, tls, connectTimeoutMs } = this.#options;
    const client = new Redis({
      Connector,
      host,
      port,
      protocol: 2,
      lazyConnect: true,
      enableReadyCheck: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      connectTimeout: connectTimeoutMs,
      disableClientInfo: true,
      ...(tls === undefined ? {} : { tls: clientTlsOptions(tls) }),
    });
    // What goes wrong is seen where something is asked, there as a closed connection only.
    client.on('error', (error: Error) => {
      if (client === this.#client) this.#problem = error;
    });
    client.on('end', () => {
      if (client !== this.#client) return;
      if (this.#isIn) this.#lost(true);
      this.#isIn = false;
    });
    return client;
  }

  /** The replies in order, an Error where one was refused. */
  async ask(commands: readonly (readonly [string, ...string[]])[]): Promise<Answer> {
    // It would connect again, and nobody would end that.
    if (this.#isClosed) return { failure: 'gone', why: 'closed' };
    try {
      await this.#connected();
      const client = this.#client;
      const asked = commands.map(([name, ...args]) =>
        client.call(name, ...args).catch((error: unknown) => error),
      );
      const values = await inTime(Promise.all(asked)).catch((error: unknown) => [error]);
      // The first one tells: what was asked behind it has no reply.
      const away = values[0] instanceof Error ? turnedAway(values[0].message) : undefined;
      if (away !== undefined) return { failure: 'gone', why: away };
      const broken = values.find((value) => value instanceof Error && !isReply(value));
      if (broken !== undefined) return this.#failed(client, failureOf(broken, this.#problem));
      this.#heardAt = performance.now();
      return { values };
    } catch (error) {
      if (error instanceof LoginRefused) return { failure: 'refused', why: error.message };
      return failureOf(error, this.#problem);
    }
  }

  #failed(client: Redis, failure: Failure): Failure {
    // Who asked before has found it silent, and ended it.
    if (client !== this.#client) return { ...failure, failure: 'silent' };
    const isLong = performance.now() - this.#heardAt > SILENT_MS;
    if (failure.failure === 'silent' && isLong) {
      this.#isIn = false;
      // Its end comes later, and must not be taken for that of the next.
      this.#client = this.#newClient();
      client.disconnect();
      this.#lost(false);
    }
    return failure;
  }

  /** The same, by name. */
  async askNamed(
    questions: Readonly<Record<string, readonly [string, ...string[]]>>,
  ): Promise<{ readonly said: Readonly<Record<string, unknown>> } | Failure> {
    const answer = await this.ask(Object.values(questions));
    if ('failure' in answer) return answer;
    const said = Object.fromEntries(
      Object.keys(questions).map((name, index) => [name, answer.values[index]]),
    );
    return { said };
  }

  /** Once for all who ask meanwhile: each of several connecting anew would end the others' connection, and their questions. */
  async #connected(): Promise<void> {
    if (this.#connecting === undefined && this.#client.status === 'ready') return;
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    await this.#connecting;
  }

  async #connect(): Promise<void> {
    this.#problem = undefined;
    await this.#client.connect();
    this.#heardAt = performance.now();
    const refusal = await inTime(refusalOfLogin(this.#client, this.#options.credentials));
    const away = refusal && turnedAway(refusal);
    if (away !== undefined) throw new Error(away);
    if (refusal !== undefined) {
      // The next question begins with a login again.
      this.#client.disconnect();
      throw new LoginRefused(refusal);
    }
    this.#isIn = true;
  }

  close(): void {
    this.#isClosed = true;
    this.#client.removeAllListeners('end');
    this.#client.disconnect();
  }
}

/** Not by a limit of ioredis, which is over while we stand still ourselves. */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  return await new Promise((resolve, reject) => {
    const answered = patience(ANSWER_MS, () => reject(new Error('Command timed out')));
    void answer.then(resolve, reject).finally(answered);
  });
}

function failureOf(error: unknown, problem: Error | undefined): Failure {
  const failure = /ETIMEDOUT|timed out/i.test(String(error)) ? 'silent' : 'gone';
  const why = problem ?? error;
  return { failure, why: why instanceof Error ? problemOf(why) : String(why) };
}

/** Why it does not let us in, if it said so; `values`: the answer to PING first. */
export function refusalIn(answer: Answer): string | undefined {
  if ('failure' in answer) return answer.failure === 'refused' ? answer.why : undefined;
  const [ping] = answer.values;
  return ping instanceof Error && ping.message.startsWith('NOAUTH') ? ping.message : undefined;
}

/** COMMAND; an Error where that is refused. */
export async function describeAllCommands(
  conversation: Conversation | undefined,
): Promise<readonly CommandEntry[] | Error | undefined> {
  const answer = await conversation?.ask([['COMMAND']]);
  if (answer === undefined || 'failure' in answer) return undefined;
  const [described] = answer.values;
  if (described instanceof Error) return described;
  return Array.isArray(described) ? described.filter(isCommandEntry) : undefined;
}

/** COMMAND INFO: an entry for each name, null where it is not known; an Error where that is refused. */
export async function describeCommands(
  conversation: Conversation | undefined,
  names: readonly string[],
): Promise<readonly (CommandEntry | null)[] | Error | undefined> {
  const answer = await conversation?.ask([['COMMAND', 'INFO', ...names]]);
  if (answer === undefined || 'failure' in answer) return undefined;
  const [described] = answer.values;
  if (described instanceof Error) return described;
  if (!Array.isArray(described)) return undefined;
  return described.map((entry) => (isCommandEntry(entry) ? entry : null));
}
