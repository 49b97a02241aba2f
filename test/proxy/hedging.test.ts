import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { encodeCommand } from '../../src/proxy/encode.ts';
import { LateReplies } from '../../src/proxy/late-replies.ts';
import type { Node } from '../../src/proxy/node.ts';
import { Output } from '../../src/proxy/output.ts';
import { ReplyQueue } from '../../src/proxy/reply-queue.ts';
import { finishRequest, takeRequest, type Request } from '../../src/proxy/request.ts';
import { beginTurn } from '../../src/proxy/turn.ts';
import { serverThat } from './servers.ts';
import { TwoNodes } from './two-nodes.ts';

/** Two nodes: reads go to the first while it answers, everything else to the second. */
class Pair extends TwoNodes {
  primaryFor(): Node {
    return this.first;
  }

  protected choose({ isRead }: Request): Node {
    return isRead && this.first.isUsable ? this.first : this.second;
  }
}

interface Scene {
  readonly send: (isRead: boolean, ...words: readonly string[]) => string[];
  readonly asked: readonly string[];
  readonly loseFirst: () => void;
  readonly upstream: Pair;
}

/** The first node says nothing; the second refuses reads, and takes all else. */
async function setUp(
  t: TestContext,
  read: () => string | undefined = () => '-MASTERDOWN Link with MASTER is down\r\n',
): Promise<Scene> {
  const silent = await serverThat(t, () => undefined);
  const refusing = await serverThat(t, (words) => (words.startsWith('GET') ? read() : '+OK\r\n'));
  const upstream = new Pair({ hedgeAfterMs: 100, failoverWaitMs: 4_000 }, silent.port, refusing.port);
  const ticking = setInterval(() => upstream.tick(performance.now(), false), 20);
  t.after(() => {
    clearInterval(ticking);
    upstream.close();
  });
  const terms = { policy: 4, followRedirections: true, opTimeoutMs: 60_000, hashTags: false };
  return {
    upstream,
    asked: refusing.asked,
    loseFirst: () => {
      for (const socket of silent.sockets) socket.destroy();
    },
    send: (isRead, ...words) => {
      beginTurn();
      const replies: string[] = [];
      const request = takeRequest();
      const deliver = (answered: Request, bytes: Uint8Array, start: number, end: number): void => {
        replies.push(Buffer.from(bytes.subarray(start, end)).toString());
        finishRequest(answered);
      };
      Object.assign(request, { terms, isRead, startedAt: Math.trunc(performance.now()), sink: { deliver } });
      const command = encodeCommand(...words);
      upstream.send(request, command, 0, command.length);
      return replies;
    },
  };
}

for (const [what, read, isDoubted] of [
  ['refused', undefined, false],
  ['was doubted for', () => '$-1\r\n', true],
] as const) {
  test(`a hedged read that the second node ${what} is still itself when the first one is lost`, async (t) => {
    const { send, asked, loseFirst, upstream } = await setUp(t, read);
    upstream.second.doubt(isDoubted);
    send(true, 'GET', 'key');
    await eventually('the hedge', () => asked.length === 1 || undefined);
    // In the place of the refused read's bytes, if that is free.
    const written = send(false, 'INCR', 'ctr');
    await eventually('the write', () => written.length === 1 || undefined);
    loseFirst();
    await eventually('another try', () => asked.length >= 3 || undefined);
    assert.deepEqual(asked.slice(0, 3), ['GET key', 'INCR ctr', 'GET key']);
  });
}

test('a hedged read that is asked anew is hedged anew where that node is silent, too', async (t) => {
  let isSilent = false;
  const { send, asked, loseFirst } = await setUp(t, () =>
    isSilent ? undefined : '-MASTERDOWN Link with MASTER is down\r\n',
  );
  send(true, 'GET', 'key');
  await eventually('the hedge', () => asked.length === 1 || undefined);
  isSilent = true;
  loseFirst();
  await eventually('another try, and its hedge', () => asked.length >= 3 || undefined);
});

test('a hedge that was refused is not repeated while the first node is still at it', async (t) => {
  const { send, asked, upstream } = await setUp(t);
  send(true, 'GET', 'key');
  await eventually('the hedge', () => asked.length === 1 || undefined);
  // Each of them behind a tick that could have hedged again.
  for (let round = 1; round <= 5; round++) {
    upstream.tick(performance.now(), false);
    const written = send(false, 'INCR', 'ctr');
    await eventually('the write', () => written.length === 1 || undefined);
  }
  assert.deepEqual(
    asked.filter((words) => words.startsWith('GET')),
    ['GET key'],
  );
});

test('a late reply leaves no second one to be taken for the next command', async () => {
  const queue = new ReplyQueue(new Output());
  let isDelivered = false;
  const session = {
    own: () => {},
    disown: () => {},
    deliver: (request: Request, bytes: Uint8Array, start: number, end: number): void => {
      queue.take(request, bytes, start, end);
      isDelivered = true;
    },
  };
  const request = queue.next();
  request.sink = new LateReplies(session, 1);
  const given = request.generation;
  const reply = Buffer.from('+one\r\n');
  request.sink.deliver(request, reply, 0, reply.length);
  // Connections compare what they noted with what it is now.
  assert.notEqual(request.generation, given);
  await eventually('the reply', () => isDelivered || undefined);
});
