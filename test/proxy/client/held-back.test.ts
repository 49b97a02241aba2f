import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { mock, test } from 'node:test';

import { ClientStream } from '../../../src/proxy/client/client-stream.ts';
import type { Request } from '../../../src/proxy/wire/request.ts';

// Clients share a timer: one for all tests.
mock.timers.enable({ apis: ['setTimeout'] });

/** A client each of whose bytes is a command. */
class Stream extends ClientStream {
  readonly client = '';
  readonly requests: Request[] = [];

  protected take(_bytes: Buffer, length: number): void {
    for (let index = 0; index < length; index++) this.requests.push(this.expect());
  }

  protected proceed(): void {}
  protected dropInput(): void {}
  protected closed(): void {}
  countAnew(): void {}

  protected unworked(): number {
    return 0;
  }
}

interface Scene {
  /** So many commands come at once. */
  readonly ask: (count: number) => void;
  /** Replies come from Redis, to the oldest command first; resolves at the end of their turn. */
  readonly answer: (...replies: string[]) => Promise<void>;
  /** What was written, write by write. */
  readonly written: string[];
  readonly pass: (ms: number) => void;
}

function setUp(): Scene {
  const written: string[] = [];
  const write = (bytes: Buffer): boolean => {
    written.push(bytes.toString('latin1'));
    return true;
  };
  const socket = { on: () => {}, connecting: false, writableLength: 0, write };
  const stream = new Stream({ ...socket, resume: () => {} } as unknown as Socket);
  return {
    ask: (count) => void stream.read(Buffer.alloc(count), count),
    answer: async (...replies) => {
      for (const reply of replies) {
        const bytes = Buffer.from(reply);
        stream.deliver(stream.requests.shift()!, bytes, 0, bytes.length);
      }
      await new Promise((resolve) => {
        setImmediate(() => setImmediate(resolve));
      });
    },
    written,
    pass: (ms) => mock.timers.tick(ms),
  };
}

test('replies to what was asked at once leave as one write', async () => {
  const { ask, answer, written } = setUp();
  ask(3);
  await answer('a');
  await answer('b', 'c');
  assert.deepEqual(written, ['abc']);
});

test('they wait no longer than a moment for each other', async () => {
  const { ask, answer, written, pass } = setUp();
  ask(2);
  await answer('a');
  pass(1);
  pass(1);
  assert.deepEqual(written, ['a']);
  await answer('b');
  assert.deepEqual(written, ['a', 'b']);
});

test('what was asked later is not waited for', async () => {
  const { ask, answer, written } = setUp();
  ask(2);
  ask(2);
  await answer('a', 'b', 'c');
  assert.deepEqual(written, ['abc']);
});

test('long replies do not wait', async () => {
  const { ask, answer, written } = setUp();
  ask(2);
  await answer('x'.repeat(10_000));
  assert.equal(written.length, 1);
});
