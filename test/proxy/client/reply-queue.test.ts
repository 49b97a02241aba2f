import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';

import { Output } from '../../../src/proxy/client/output.ts';
import { ReplyQueue } from '../../../src/proxy/client/reply-queue.ts';
import { takeRequest, type Request } from '../../../src/proxy/wire/request.ts';
import { SocketWriter } from '../../../src/proxy/wire/socket-writer.ts';

test('replies leave in the order of the commands, whoever answers first', () => {
  const { queue, written } = queueOf();
  for (const burst of [1, 3, 40, 2, 17]) {
    const requests = Array.from({ length: burst }, () => queue.next());
    const expected = requests.map((_, index) => `<${burst}.${index}>`);
    const order = requests.map((_, index) => (index * 7) % burst);
    const answered = new Set(order);
    for (const index of answered) take(queue, requests[index]!, expected[index]!);
    for (let index = 0; index < burst; index++) {
      if (!answered.has(index)) take(queue, requests[index]!, expected[index]!);
    }
    assert.equal(written(), expected.join(''));
    assert.ok(queue.isEmpty);
  }
});

test('a request that waits for its turn takes no second answer', () => {
  const { queue } = queueOf();
  const [, second] = [queue.next(), queue.next()];
  const given = second.generation;
  take(queue, second, 'early');
  // Connections compare what they noted with what it is now.
  assert.notEqual(second.generation, given);
});

test('what a long burst took is for others when it is over', () => {
  const { queue } = queueOf();
  const requests = Array.from({ length: 1_000 }, () => queue.next());
  for (const request of requests) take(queue, request, 'x');
  const taken = new Set(Array.from({ length: 900 }, () => takeRequest()));
  assert.ok(requests.filter((request) => taken.has(request)).length > 800);
});

test('messages stand where they came between the replies, and those that follow each other in one place', () => {
  const { queue, written } = queueOf();
  const first = queue.next();
  for (let index = 0; index < 1_000; index++) queue.addMessage(Buffer.from(`<${index}>`), false);
  const second = queue.next();
  queue.addMessage(Buffer.from('last'), false);
  assert.equal(queue.length, 4);
  take(queue, second, '(second)');
  take(queue, first, '(first)');
  const expected = Array.from({ length: 1_000 }, (_, index) => `<${index}>`).join('');
  assert.equal(written(), `(first)${expected}(second)last`);
});

test('it is known how many bytes of messages wait for a reply, or to be written', () => {
  const { queue, written } = queueOf();
  const first = queue.next();
  for (const message of ['a', 'bc']) queue.addMessage(Buffer.from(message), false);
  const second = queue.next();
  queue.addMessage(Buffer.from('defg'), false);
  assert.equal(queue.messageBytes, 7);
  take(queue, first, '');
  take(queue, second, '');
  assert.equal(queue.messageBytes, 0);
  queue.addMessage(Buffer.from('hij'), false);
  assert.equal(queue.messageBytes, 3);
  written();
  assert.equal(queue.messageBytes, 0);
  queue.next();
  queue.addMessage(Buffer.from('k'), false);
  assert.equal(queue.messageBytes, 1);
});

function queueOf(): { readonly queue: ReplyQueue; readonly written: () => string } {
  const chunks: string[] = [];
  const socket = {
    on: () => {},
    connecting: false,
    writableLength: 0,
    write: (bytes: Buffer) => chunks.push(bytes.toString('latin1')),
  };
  const output = new Output();
  const writer = new SocketWriter(socket as unknown as Socket, () => {});
  return {
    queue: new ReplyQueue(output),
    written: () => {
      output.flush(writer);
      return chunks.splice(0).join('');
    },
  };
}

function take(queue: ReplyQueue, request: Request, text: string): void {
  const bytes = Buffer.from(text);
  queue.take(request, bytes, 0, bytes.length);
}
