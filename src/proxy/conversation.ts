/**
 * Talking with a node *about* it: topology, roles, health. Off the hot path, one connection a node.
 */
import { Redis } from 'ioredis';

import type { CommandEntry } from '../redis/command-spec.ts';
import { Connector } from '../sources/observations/connector.ts';
import { clientTlsOptions } from '../sources/observations/tls-options.ts';
import type { NodeOptions } from './node.ts';

/** Longer than that is no answer. */
const ANSWER_MS = 500;

export type Answer = { readonly values: readonly unknown[] } | Failure;

export interface Failure {
  readonly failure: 'gone' | 'silent';
  /** As the system or Redis names it. */
  readonly why: string;
}

export class Conversation {
  readonly #client: Redis;
  #problem: Error | undefined;
  #isClosed = false;

  constructor(
    { host, port, credentials, tls, connectTimeoutMs }: NodeOptions,
    onClosed: () => void = () => {},
  ) {
    this.#client = new Redis({
      Connector,
      host,
      port,
      protocol: 2,
      lazyConnect: true,
      enableReadyCheck: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      connectTimeout: connectTimeoutMs,
      commandTimeout: ANSWER_MS,
      disableClientInfo: true,
      ...(tls === undefined ? {} : { tls: clientTlsOptions(tls) }),
      ...(credentials === undefined ? {} : { password: credentials.password.reveal() }),
      ...(credentials?.username === undefined ? {} : { username: credentials.username }),
    });
    // What goes wrong is seen where something is asked, there as a closed connection only.
    this.#client.on('error', (error: Error) => {
      this.#problem = error;
    });
    this.#client.on('end', onClosed);
  }

  /** The replies in order, an Error where one was refused. */
  async ask(commands: readonly (readonly [string, ...string[]])[]): Promise<Answer> {
    // It would connect again, and nobody would end that.
    if (this.#isClosed) return { failure: 'gone', why: 'closed' };
    try {
      if (this.#client.status !== 'ready') await this.#connect();
      const asked = commands.map(([name, ...args]) =>
        this.#client.call(name, ...args).catch((error: unknown) => error),
      );
      const values = await Promise.all(asked);
      const broken = values.find((value) => value instanceof Error && !isReply(value));
      if (broken === undefined) return { values };
      return failureOf(broken, this.#problem);
    } catch (error) {
      return failureOf(error, this.#problem);
    }
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

  async #connect(): Promise<void> {
    this.#problem = undefined;
    if (this.#client.status === 'connecting' || this.#client.status === 'connect') {
      this.#client.disconnect();
    }
    await this.#client.connect();
  }

  close(): void {
    this.#isClosed = true;
    this.#client.removeAllListeners('end');
    this.#client.disconnect();
  }
}

function failureOf(error: unknown, problem: Error | undefined): Failure {
  const failure = /ETIMEDOUT|timed out/i.test(String(error)) ? 'silent' : 'gone';
  const { message } = problem ?? (error as Error);
  return { failure, why: message };
}

function isReply(error: Error): boolean {
  return error.name === 'ReplyError';
}

/** COMMAND; an Error where that is refused. */
export async function describeAllCommands(
  conversation: Conversation | undefined,
): Promise<readonly CommandEntry[] | Error | undefined> {
  const answer = await conversation?.ask([['COMMAND']]);
  if (answer === undefined || 'failure' in answer) return undefined;
  const [described] = answer.values;
  return described as readonly CommandEntry[] | Error;
}

/** COMMAND INFO: an entry for each name, null where it is not known; an Error where that is refused. */
export async function describeCommands(
  conversation: Conversation | undefined,
  names: readonly string[],
): Promise<readonly (CommandEntry | null)[] | Error | undefined> {
  const answer = await conversation?.ask([['COMMAND', 'INFO', ...names]]);
  if (answer === undefined || 'failure' in answer) return undefined;
  const [described] = answer.values;
  return described as readonly (CommandEntry | null)[] | Error;
}
