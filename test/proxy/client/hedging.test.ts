import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { encodeCommand } from '../../../src/proxy/wire/encode.ts';
import { LateReplies } from '../../../src/proxy/client/late-replies.ts';
import type { Node } from '../../../src/proxy/topology/node.ts';
import { Output } from '../../../src/proxy/client/output.ts';
import { ReplyQueue } from '../../../src/proxy/client/reply-queue.ts';
import { finishRequest, takeRequest, type Request } from '../../../src/proxy/wire/request.ts';
import { beginTurn } from '../../../src/proxy/wire/turn.ts';
import type { UpstreamSettings } from '../../../src/proxy/upstream/upstream-settings.ts';
import type { Upstream } from '../../../src/proxy/upstream/upstream.ts';
import { clientOf, planTo, proxyFor, serverThat } from '../servers.ts';
import { TwoNodes } from '../two-nodes.ts';

/** Two nodes: reads go to the first while it answers, everything else to the second. */
class Pair extends TwoNodes {
  override primaryFor(): Node {
    return this.first;
  }

  nodeFor({ isRead }: Request): Node {
    return isRead && this.first.isUsable ? this.first : this.second;
  }
}

/** Three nodes: the first of them that may be asked. */
class Trio extends TwoNodes {
  readonly third: Node;

  constructor(settings: UpstreamSettings, ...[first, second, third]: readonly [number, number, number]) {
    super(settings, first, second);
    this.third = this.nodeAt(third);
  }

  override primaryFor(): Node {
    return this.third;
  }

  nodeFor(): Node | null {
    return [this.first, this.second, this.third].find(({ isUsable }) => isUsable) ?? null;
  }

  override close(): void {
    super.close();
    this.third.close('the test is over');
  }
}

type Send = (isRead: boolean, ...words: readonly string[]) => string[];

interface Scene {
  readonly send: Send;
  readonly asked: readonly string[];
  readonly askedFirst: readonly string[];
  readonly loseFirst: () => void;
  readonly upstream: Pair;
}

/** The first node says nothing; the second refuses reads, and takes all else, unless told otherwise. */
async function setUp(
  t: TestContext,
  read: () => string | undefined = () => '-MASTERDOWN Link with MASTER is down\r\n',
  write: () => string | undefined = () => '+OK\r\n',
): Promise<Scene> {
  const silent = await serverThat(t, () => undefined);
  const refusing = await serverThat(t, (words) => (words.startsWith('GET') ? read() : write()));
  const upstream = new Pair({ hedgeAfterMs: 100, failoverWaitMs: 4_000 }, silent.port, refusing.port);
  return {
    upstream,
    asked: refusing.asked,
    askedFirst: silent.asked,
    loseFirst: () => {
      for (const socket of silent.sockets) socket.destroy();
    },
    send: senderTo(t, upstream),
  };
}

function senderTo(t: TestContext, upstream: Upstream): Send {
  const ticking = setInterval(() => upstream.tick(performance.now(), false), 20);
  t.after(() => {
    clearInterval(ticking);
    upstream.close();
  });
  const terms = { policy: 4, followRedirections: true, opTimeoutMs: 60_000, hashTags: false };
  return (isRead, ...words) => {
    beginTurn();
    const replies: string[] = [];
    const request = takeRequest();
    const deliver = (answered: Request, bytes: Uint8Array, start: number, end: number): void => {
      replies.push(Buffer.from(bytes.subarray(start, end)).toString());
      finishRequest(answered);
    };
    Object.assign(request, {
      terms,
      label: Number(isRead),
      startedAt: Math.trunc(performance.now()),
      sink: { deliver },
    });
    const command = encodeCommand(...words);
    upstream.send(request, command, 0, command.length);
    return replies;
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
  const { send, asked, askedFirst, loseFirst, upstream } = await setUp(t, () =>
    isSilent ? undefined : '-MASTERDOWN Link with MASTER is down\r\n',
  );
  send(true, 'GET', 'key');
  await eventually("the hedge's being refused", () => upstream.second.unfit !== undefined || undefined);
  isSilent = true;
  loseFirst();
  await eventually('another try', () => asked.length === 2 || undefined);
  upstream.first.update({ isDead: false, isSilent: false });
  // Before the second node, which says nothing, is given up.
  await eventually('its hedge', () => askedFirst.length === 2 || undefined, { deadlineMs: 20_000 });
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

for (const [what, answer] of [
  ['refuses it', () => '-MASTERDOWN Link with MASTER is down\r\n'],
  ['is lost', (_words: string, socket: Socket) => void socket.destroy()],
] as const) {
  test(`a read that a silent node has, and another one ${what}, is asked of a third`, async (t) => {
    const servers = [() => undefined, answer, () => '+third\r\n'].map((say) => serverThat(t, say));
    const [first, second, third] = await Promise.all(servers);
    assert.ok(first && second && third);
    const settings = { hedgeAfterMs: 100, failoverWaitMs: 4_000 };
    const send = senderTo(t, new Trio(settings, first.port, second.port, third.port));
    const replies = send(true, 'GET', 'key');
    await eventually('the reply', () => replies.length > 0 || undefined);
    assert.deepEqual(
      [first, second, third].map(({ asked }) => asked.length),
      [1, 1, 1],
    );
    assert.deepEqual(replies, ['+third\r\n']);
  });
}

test('a read that a silent node has, and another one is doubted for, is asked of the primary', async (t) => {
  const servers = [() => undefined, () => '$-1\r\n', () => '+third\r\n'].map((say) => serverThat(t, say));
  const [first, second, third] = await Promise.all(servers);
  assert.ok(first && second && third);
  const upstream = new Trio(
    { hedgeAfterMs: 100, failoverWaitMs: 4_000 },
    first.port,
    second.port,
    third.port,
  );
  for (const replica of [upstream.first, upstream.second]) replica.doubt(true);
  const replies = senderTo(t, upstream)(true, 'GET', 'key');
  await eventually('the reply', () => replies.length > 0 || undefined);
  assert.deepEqual(replies, ['+third\r\n']);
});

test('a read whose reply takes long to come is not asked for a second time where it comes from', async (t) => {
  const ELEMENTS = 50;
  const trickling = await serverThat(t, (words, socket) => {
    if (!words.startsWith('LRANGE')) return '+PONG\r\n';
    let sent = 0;
    const timer = setInterval(() => {
      socket.write(sent === 0 ? `*${ELEMENTS}\r\n` : ':1\r\n');
      sent += 1;
      if (sent > ELEMENTS) clearInterval(timer);
    }, 10);
    return undefined;
  });
  const { port } = await proxyFor(t, planTo(trickling.port), { hedgeAfterMs: 100 });
  const client = clientOf(t, port);
  client.socket.write('LRANGE key 0 -1\r\n');
  await eventually('the reply', () => client.got().split(':1').length > ELEMENTS || undefined);
  assert.deepEqual(
    trickling.asked.filter((words) => words !== 'PING'),
    ['LRANGE key 0 -1'],
  );
});

test('of few reads twenty are hedged in a minute, and no more', async (t) => {
  const { send, asked, upstream } = await setUp(t, () => undefined);
  for (let count = 0; count < 30; count++) send(true, 'GET', `key:${count}`);
  await eventually('the hedges', () => asked.length >= 20 || undefined);
  for (let round = 1; round <= 5; round++) {
    upstream.tick(performance.now(), false);
    send(false, 'INCR', 'ctr');
    await eventually(
      'the write',
      () => asked.filter((words) => words === 'INCR ctr').length === round || undefined,
    );
  }
  assert.equal(asked.filter((words) => words.startsWith('GET')).length, 20);
});

test('a write is never hedged', async (t) => {
  const { send, asked } = await setUp(
    t,
    () => undefined,
    () => undefined,
  );
  send(false, 'INCR', 'ctr');
  send(true, 'GET', 'key');
  await eventually('the hedge of what was asked behind it', () => asked.includes('GET key') || undefined);
  assert.deepEqual(asked, ['INCR ctr', 'GET key']);
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
