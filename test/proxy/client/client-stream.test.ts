import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';

import { ClientStream } from '../../../src/proxy/client/client-stream.ts';

/** A client whose commands are answered here. */
class Stream extends ClientStream {
  readonly client = '';

  readonly emitter: EventEmitter & { writableNeedDrain?: boolean };
  readonly written: readonly string[];
  /** Below the socket. */
  readonly handle = { bytesWritten: 1_000, writeQueueSize: 1_000 };
  isDestroyed = false;

  constructor() {
    const emitter = new EventEmitter();
    const written: string[] = [];
    const rest = {
      connecting: false,
      writableLength: 0,
      write: (bytes: Buffer) => written.push(bytes.toString('latin1')),
      resume: () => {},
      end: () => {},
    };
    super(Object.assign(emitter, rest, { destroy: () => (this.isDestroyed = true) }) as unknown as Socket);
    this.emitter = emitter;
    this.written = written;
    Object.assign(emitter, { _handle: this.handle });
  }

  /** A command that somebody else answers, or not. */
  ask(): void {
    this.expect();
  }

  protected take(): void {}
  protected proceed(): void {}
  protected dropInput(): void {}
  protected closed(): void {}
  countAnew(): void {}

  protected unworked(): number {
    return 0;
  }
}

/** How many replies of our own it takes. */
function answered(stream: Stream, reply: Buffer): number {
  for (let count = 1; count <= 100_000; count++) {
    stream.say(reply);
    if (stream.isStopped) return count;
  }
  return Infinity;
}

test('who will send nothing more has its replies within half a minute, or gets none', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const stream = new Stream();
  stream.ask();
  stream.emitter.emit('end');
  t.mock.timers.tick(29_000);
  assert.equal(stream.isDestroyed, false);
  t.mock.timers.tick(1_000);
  assert.equal(stream.isDestroyed, true);
});

test('who was told the end, and does not end itself, is put out', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const stream = new Stream();
  stream.end();
  t.mock.timers.tick(29_000);
  assert.ok(!stream.isDestroyed);
  t.mock.timers.tick(1_000);
  assert.ok(stream.isDestroyed);
});

test('who takes some of its replies now and then, be it slowly, gets the rest', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const stream = new Stream();
  stream.ask();
  stream.emitter.emit('end');
  for (let count = 0; count < 5; count++) {
    t.mock.timers.tick(29_000);
    assert.equal(stream.isDestroyed, false);
    stream.handle.writeQueueSize -= 100;
  }
  t.mock.timers.tick(31_000);
  assert.equal(stream.isDestroyed, true);
});

test('short replies of our own that wait behind another are as many as commands may be under way', () => {
  const stream = new Stream();
  stream.ask();
  assert.equal(answered(stream, Buffer.from('+PONG\r\n')), 3);
});

test('long ones that wait are made one at a time', () => {
  const stream = new Stream();
  stream.ask();
  assert.equal(answered(stream, Buffer.alloc(100_000)), 1);
});

test('what is made in one turn is a mebibyte and little more', () => {
  assert.equal(answered(new Stream(), Buffer.alloc(100_000)), 11);
});

test('short ones that wait for nothing are a few hundred in one turn', async () => {
  const stream = new Stream();
  for (let turn = 0; turn < 3; turn++) {
    assert.equal(answered(stream, Buffer.from('+PONG\r\n')), 256);
    await new Promise(setImmediate);
    assert.ok(!stream.isStopped);
  }
});

test('a client that was stopped by replies of our own goes on once they are written', async () => {
  const stream = new Stream();
  answered(stream, Buffer.alloc(100_000));
  assert.ok(stream.isStopped);
  await new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });
  assert.ok(!stream.isStopped);
});

test('what comes while the kernel takes nothing leaves as one piece once it does', async () => {
  const stream = new Stream();
  stream.emitter.writableNeedDrain = true;
  for (const message of ['+a\r\n', '+b\r\n', '+c\r\n']) {
    stream.push(Buffer.from(message), false);
    await new Promise(setImmediate);
  }
  assert.deepEqual(stream.written, []);
  stream.emitter.writableNeedDrain = false;
  stream.emitter.emit('drain');
  assert.deepEqual(stream.written, ['+a\r\n+b\r\n+c\r\n']);
});

test('who does not take what comes has no more under way for it', async () => {
  const stream = new Stream();
  stream.emitter.writableNeedDrain = true;
  for (let turn = 0; turn < 6; turn++) {
    stream.push(Buffer.alloc(100_000), false);
    await new Promise(setImmediate);
  }
  stream.ask();
  assert.equal(answered(stream, Buffer.from('+PONG\r\n')), 3);
});
