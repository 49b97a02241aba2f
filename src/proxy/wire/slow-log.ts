/**
 * Commands whose client waited long, a line each: what, for whom, where, how long. Never a value, and of a key only what
 * stands before its first colon.
 */
import type { Logger } from 'pino';

import { KIND, findCommand } from '../../redis/command-table.ts';
import { keyArguments } from '../../redis/keys.ts';
import { frameOf, wordAt } from '../../redis/request-frame.ts';
import { isCopy } from './nobody.ts';
import type { Request } from './request.ts';
import { clock } from './turn.ts';

/** More are counted, and told with the next line. */
const LINES_PER_SECOND = 10;

export class SlowLog {
  readonly thresholdMs: number;
  readonly #log: Logger;
  #count = 0;
  #second = 0;
  #lines = 0;
  #untold = 0;

  constructor(log: Logger, thresholdMs: number) {
    this.#log = log;
    this.thresholdMs = thresholdMs;
  }

  /** So far, also those without a line. */
  get count(): number {
    return this.#count;
  }

  /** Call it before the request's reply is handed on. `node`: who answered; undefined: nobody did. */
  note(request: Request, node: string | undefined): void {
    if (isCopy(request)) return;
    const what = describe(request);
    // They are there to wait.
    if (what === undefined) return;
    this.#count += 1;
    const second = Math.floor(clock.now / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#lines = 0;
    }
    if (this.#lines >= LINES_PER_SECOND) {
      this.#untold += 1;
      return;
    }
    this.#lines += 1;
    this.#log.warn(
      {
        ...what,
        client: request.sink?.client,
        node: node ?? 'nobody',
        tookMs: clock.now - request.startedAt,
        ...(this.#untold === 0 ? {} : { untold: this.#untold }),
      },
      'slow command',
    );
    this.#untold = 0;
  }
}

/** undefined: a command that waits by its nature. */
function describe({ block, start, end }: Request): { command: string; keys?: string } | undefined {
  if (block === null) return { command: '?' };
  const bytes = Buffer.from(block.bytes.buffer, block.bytes.byteOffset, end);
  const frame = frameOf(bytes, start, end);
  if (frame.count === 0) return { command: '?' };
  const [nameStart = 0, nameEnd = 0] = frame.offsets;
  const found = findCommand(bytes, nameStart, nameEnd);
  if (found?.kind === KIND.blocking) return undefined;
  // Of a name that no table knows, anything could be a secret.
  if (found === undefined) return { command: 'unknown to the proxy' };
  const word = wordAt(bytes, frame);
  const [key = ''] = keyArguments(found.keys, frame.count, word).slice(0, 1).map(word);
  const prefix = /^[\w.-]{1,32}:/.exec(key)?.[0];
  return { command: found.name, ...(prefix === undefined ? {} : { keys: `${prefix}*` }) };
}
