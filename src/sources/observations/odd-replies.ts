/**
 * Replies that no Redis gives (a push that begins with nothing, a null that nobody asked for): ioredis 6 throws at them, catches
 * that, and throws it again where nobody can catch it, which ends the process. A push that says to be subscribed it believes,
 * asks nothing else from then on, and subscribes again after the next login, where nobody hears of a failure: the same end.
 * Whoever is asked is a host that some object names, so each of these ends the connection alone, and so does what is too much.
 */
import dataHandler from 'ioredis/built/DataHandler.js';
import decoder from 'ioredis/built/resp/decoder.js';

import { AnswerLimit, SAYS_TOO_MUCH } from './answer-limit.ts';

interface Handler {
  readonly redis: {
    readonly condition: { readonly protocol: 2 | 3 } | null;
    recoverFromFatalError(ofCommands: Error, error: Error, flushed: { readonly offlineQueue: boolean }): void;
  };
}

/** For all clients of ioredis from now on. What comes is handed on by two methods that are not in the class' interface. */
export function endOnOddReplies(): void {
  const handler: object = dataHandler.default.prototype;
  Reflect.set(handler, 'dispatch', dispatch);
  const { returnPush } = handler as { returnPush: (this: Handler, push: unknown) => void };
  Reflect.set(handler, 'returnPush', function (this: Handler, push: unknown): void {
    if (this.redis.condition?.protocol === 2) throw new Error('RESP2 has none');
    returnPush.call(this, push);
  });
  const decoding: object = decoder.Decoder.prototype;
  const { write } = decoding as { write: (this: object, chunk: Uint8Array) => void };
  const limits = new WeakMap<object, AnswerLimit>();
  // What it throws ends the connection, and all that is asked over it.
  Reflect.set(decoding, 'write', function (this: object, chunk: Uint8Array): void {
    const limit = limits.get(this) ?? new AnswerLimit();
    limits.set(this, limit);
    if (!limit.allows(chunk)) throw new Error(SAYS_TOO_MUCH);
    write.call(this, chunk);
  });
}

function dispatch(this: Handler, take: () => void): void {
  try {
    take();
  } catch {
    const error = new Error('it answers as no Redis does; give the address of one');
    this.redis.recoverFromFatalError(error, error, { offlineQueue: false });
  }
}
