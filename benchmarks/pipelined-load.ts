/** Pipelined GETs and SETs over some connections, a whole pipeline at a time; every reply is looked at. */
import { connect } from 'node:net';

import { ReplyScanner } from '../src/redis/reply-scanner.ts';
import { encode } from '../test/e2e/contract/wire.ts';

const PIPELINE = 100;
const MINUS = 0x2d;

export interface PipelinedLoad {
  readonly answered: number;
  readonly errors: readonly string[];
  /** When all are answered, or a connection is lost. */
  readonly done: Promise<void>;
}

/** `valueBytes`: of each SET, which is every fourth command. */
export function startPipelinedLoad(options: {
  readonly port: number;
  readonly commands: number;
  readonly connections: number;
  readonly valueBytes: number;
}): PipelinedLoad {
  const { port, commands, connections, valueBytes } = options;
  const value = 'x'.repeat(valueBytes);
  // Made once: what is measured is the proxy, not this.
  const batches = Array.from({ length: 50 }, (_, batch) =>
    Buffer.from(
      Array.from({ length: PIPELINE }, (_, index) => {
        const key = `key:${(batch * PIPELINE + index) % 2_000}`;
        return index % 4 === 0 ? encode(['SET', key, value]) : encode(['GET', key]);
      }).join(''),
    ),
  );
  const errors: string[] = [];
  const load = { answered: 0, errors, done: Promise.resolve() };
  let asked = 0;
  const run = async (): Promise<void> =>
    await new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      const scanner = new ReplyScanner();
      let rest: Buffer = Buffer.alloc(0);
      let pending = 0;
      const next = (): void => {
        if (asked >= commands) return void socket.end(() => resolve());
        asked += PIPELINE;
        pending = PIPELINE;
        socket.write(batches[(asked / PIPELINE) % batches.length]!);
      };
      socket.on('connect', next);
      socket.on('error', (error) => errors.push(error.message));
      socket.on('close', () => {
        if (pending > 0) errors.push('a connection was closed');
        resolve();
      });
      socket.on('data', (chunk: Buffer) => {
        const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        let at = 0;
        for (;;) {
          const end = scanner.scan(bytes, at, bytes.length);
          if (end <= 0) break;
          if (bytes[at] === MINUS) errors.push(bytes.toString('latin1', at, end - 2));
          at = end;
          pending -= 1;
          load.answered += 1;
        }
        rest = bytes.subarray(at);
        if (pending === 0) next();
      });
    });
  const runAll = async (): Promise<void> =>
    void (await Promise.all(Array.from({ length: connections }, run)));
  load.done = runAll();
  return load;
}
