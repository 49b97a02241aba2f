/**
 * Replies that no Redis gives (a push that begins with nothing, a null that nobody asked for): ioredis 6 throws at them, catches
 * that, and throws it again where nobody can catch it, which ends the process. Whoever is asked is a host that some object
 * names, so it ends the connection here.
 */
import dataHandler from 'ioredis/built/DataHandler.js';

interface Handler {
  readonly redis: {
    recoverFromFatalError(ofCommands: Error, error: Error, flushed: { readonly offlineQueue: boolean }): void;
  };
}

/** For all clients of ioredis from now on. */
export function endOnOddReplies(): void {
  // What comes is handed on by it; it is not in the class' interface.
  Reflect.set(dataHandler.default.prototype, 'dispatch', dispatch);
}

function dispatch(this: Handler, take: () => void): void {
  try {
    take();
  } catch {
    const error = new Error('it answers as no Redis does; give the address of one');
    this.redis.recoverFromFatalError(error, error, { offlineQueue: false });
  }
}
