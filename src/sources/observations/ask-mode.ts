/**
 * Asks one Redis server what it calls its own mode.
 */
import { Redis } from 'ioredis';

import type { ModeQuestion, ObservedMode } from '../../world/observation.ts';
import { Clue } from './clue.ts';
import { NO_REDIS, isExplained, problemOf } from './connection-problem.ts';
import { Connector } from './connector.ts';
import { refusalOfLogin } from './login.ts';
import { clientTlsOptions } from './tls-options.ts';

/** Resolves with the answer; fails with one line, free of secrets, that reads on after "can't be asked: ". */
export type AskMode = (
  address: ModeQuestion['addresses'][number],
  question: Pick<ModeQuestion, 'credentials' | 'tls'>,
  signal: AbortSignal,
) => Promise<ObservedMode>;

/** For connecting, TLS, AUTH and INFO together. */
const LIMIT_MS = 1_000;

export const askMode: AskMode = async ({ address, port }, { credentials, tls }, signal) => {
  const client = new Redis({
    Connector,
    host: address,
    port,
    // Every server knows it.
    protocol: 2,
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    ...(tls === undefined ? {} : { tls: clientTlsOptions(tls) }),
  });
  let failure: Error | undefined;
  client.on('error', (error) => {
    failure ??= error;
  });
  const limited = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  const giveUp = (): void => {
    failure ??= new Error(signal.aborted ? 'no longer asked' : `no answer within ${LIMIT_MS} ms`);
    client.disconnect();
  };
  limited.addEventListener('abort', giveUp, { once: true });
  try {
    limited.throwIfAborted();
    await client.connect();
    const refusal = await refusalOfLogin(client, credentials);
    const info = await client.info('server').catch((error: unknown) => {
      // One that answers nevertheless is asked all the same.
      throw refusal === undefined ? error : new Error(refusal);
    });
    return readMode(info);
  } catch (error) {
    if (signal.aborted || !(error instanceof Error)) throw failure ?? error;
    throw await explained(failure ?? error, { host: address, port, tls });
  } finally {
    limited.removeEventListener('abort', giveUp);
    client.disconnect();
  }
};

const REMEDIES: readonly (readonly [said: RegExp, remedy: string])[] = [
  [/^NOAUTH /, 'write its password as auth into its RedisDestination'],
  [
    /^WRONGPASS /,
    'correct the password, or whose it is, in its RedisDestination (auth) or the Secret that this names',
  ],
  [/^NOPERM /, 'let that user send INFO, or write the mode into its RedisDestination'],
];

/** The same where there are no better words for it. */
async function explained(failure: Error, place: ConstructorParameters<typeof Clue>[0]): Promise<Error> {
  const remedy = REMEDIES.find(([said]) => said.test(failure.message))?.[1];
  if (remedy !== undefined)
    return new Error(`${failure.message.replace(/\.$/, '')}; ${remedy}`, { cause: failure });
  const problem = problemOf(failure);
  if (isExplained(problem)) return new Error(problem, { cause: failure });
  const clue = new Clue(place);
  await clue.look(problem);
  const found = clue.about(problem);
  return found === problem && problem !== NO_REDIS ? failure : new Error(found, { cause: failure });
}

/** Valkey calls it server_mode. */
function readMode(info: string): ObservedMode {
  const mode = /^(?:redis|server)_mode:(\w+)/m.exec(info)?.[1];
  if (mode === 'cluster' || mode === 'standalone' || mode === 'sentinel') return mode;
  throw new Error('its INFO names no mode');
}
