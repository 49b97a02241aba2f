import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { encodeCommand } from '../../../src/proxy/wire/encode.ts';
import type { Node } from '../../../src/proxy/topology/node.ts';
import { type ReplySink, finishRequest, takeRequest } from '../../../src/proxy/wire/request.ts';
import { beginTurn } from '../../../src/proxy/wire/turn.ts';
import { serverThat } from '../servers.ts';
import { TwoNodes } from '../two-nodes.ts';

const MOVED = '-MOVED 0 127.0.0.1:1\r\n';
const TRYAGAIN = '-TRYAGAIN Multiple keys request during rehashing of slot\r\n';
const LOADING = '-LOADING Redis is loading the dataset in memory\r\n';
/** Before what was refused is tried again. */
const OFTEN = { everyMs: 1 };

/** Two nodes and one slot, whose owner is as the test says; whatever redirects names the second. */
class Pair extends TwoNodes {
  owner: Node = this.first;

  override primaryFor(): Node | null {
    return this.nodeFor();
  }

  nodeFor(): Node | null {
    return this.owner.isUsable ? this.owner : null;
  }

  override redirected(): Node | null {
    return this.second.isUsable ? this.second : null;
  }

  override changed(node: Node): void {
    if (node.isUsable) this.retryHeld();
  }
}

interface Scene {
  readonly upstream: Pair;
  /** What came to either node, but for what was refused. */
  readonly carriedOut: readonly string[];
  /** What came to the first node. */
  readonly asked: readonly string[];
  /** The first node answers the oldest command that it has not answered. */
  readonly say: (reply: string) => void;
  /** Its connections end. */
  readonly cut: () => void;
  /** Returned is what comes back. */
  readonly send: (client: ReplySink, ...words: readonly string[]) => string[];
}

/** The first node answers when and what the test says, the second at once; `refusing`: what it says to some commands. */
async function setUp(t: TestContext, refusing: Readonly<Record<string, string>> = {}): Promise<Scene> {
  const carriedOut: string[] = [];
  const unanswered: string[] = [];
  const first = await serverThat(t, (words) => void unanswered.push(words));
  const second = await serverThat(t, (words) => {
    const refusal = refusing[words];
    if (refusal !== undefined) return refusal;
    carriedOut.push(words);
    return '+OK\r\n';
  });
  const upstream = new Pair({ hedgeAfterMs: 10_000, failoverWaitMs: 20_000 }, first.port, second.port);
  const ticking = setInterval(() => {
    beginTurn();
    upstream.tick(performance.now(), false);
  }, 20);
  t.after(() => {
    clearInterval(ticking);
    upstream.close();
  });
  const terms = { policy: 0, followRedirections: true, opTimeoutMs: 60_000, hashTags: false };
  return {
    upstream,
    carriedOut,
    asked: first.asked,
    say: (reply) => {
      const words = unanswered.shift() ?? '';
      if (!reply.startsWith('-')) carriedOut.push(words);
      for (const socket of first.sockets) socket.write(reply);
    },
    cut: () => {
      for (const socket of first.sockets) socket.destroy();
    },
    send: (client, ...words) => {
      beginTurn();
      const replies: string[] = [];
      const request = takeRequest();
      const sink: ReplySink = {
        asker: client,
        deliver: (answered, bytes, start, end) => {
          replies.push(Buffer.from(bytes.subarray(start, end)).toString());
          finishRequest(answered);
        },
      };
      Object.assign(request, {
        terms,
        startedAt: Math.trunc(performance.now()),
        sink,
        label: Number(words[0] === 'GET'),
      });
      const command = encodeCommand(...words);
      upstream.send(request, command, 0, command.length);
      return replies;
    },
  };
}

const clientOf = (): ReplySink => ({ deliver: () => {} });

const answered = (what: string, replies: readonly string[]): Promise<unknown> =>
  eventually(what, () => replies.length === 1 || undefined);

test('what comes behind a write that could not be redirected yet is carried out behind it', async (t) => {
  const { upstream, carriedOut, asked, say, send } = await setUp(t);
  const client = clientOf();
  upstream.second.update({ unfit: 'LOADING' });
  const one = send(client, 'SET', 'k', '1');
  await eventually('the first write', () => asked.length === 1 || undefined);
  say(MOVED);
  await eventually('its waiting', () => upstream.status().events['held'] === 1 || undefined, OFTEN);
  upstream.owner = upstream.second;
  upstream.second.update({ unfit: undefined });
  const two = send(client, 'SET', 'k', '2');
  const read = send(client, 'GET', 'k');
  await Promise.all([answered('the first', one), answered('the second', two), answered('the read', read)]);
  assert.deepEqual(carriedOut, ['SET k 1', 'SET k 2', 'GET k']);
});

test('a write that waits holds up no other client', async (t) => {
  const { upstream, asked, say, send } = await setUp(t);
  send(clientOf(), 'SUNIONSTORE', 'k', 'a', 'b');
  await eventually('it', () => asked.length === 1 || undefined);
  say(TRYAGAIN);
  await eventually('its waiting', () => upstream.status().events['held'] === 1 || undefined, OFTEN);
  upstream.owner = upstream.second;
  send(clientOf(), 'SET', 'k', '2');
  assert.equal(upstream.status().events['held'], 1);
});

test('of two writes that are redirected the second waits for the first', async (t) => {
  const { upstream, carriedOut, asked, say, send } = await setUp(t);
  const client = clientOf();
  upstream.second.update({ unfit: 'LOADING' });
  const one = send(client, 'SET', 'k', '1');
  const two = send(client, 'SET', 'k', '2');
  await eventually('both', () => asked.length === 2 || undefined);
  say(MOVED);
  await eventually('the first waiting', () => upstream.status().events['held'] === 1 || undefined, OFTEN);
  // So that it is not tried again by this.
  upstream.owner = upstream.second;
  upstream.second.update({ unfit: undefined });
  say(MOVED);
  await Promise.all([answered('the first', one), answered('the second', two)]);
  assert.deepEqual(carriedOut, ['SET k 1', 'SET k 2']);
});

test('a write that is tried again and again is behind nothing that came later', async (t) => {
  const { upstream, carriedOut, asked, say, send } = await setUp(t);
  const client = clientOf();
  const one = send(client, 'SUNIONSTORE', 'k', 'a', 'b');
  await eventually('the first write', () => asked.length === 1 || undefined);
  for (let round = 2; round <= 3; round++) {
    say(TRYAGAIN);
    await eventually('another try', () => asked.length === round || undefined);
  }
  const two = send(client, 'SET', 'k', '2');
  say(TRYAGAIN);
  await eventually('another try', () => asked.length === 4 || undefined);
  say('+OK\r\n');
  await eventually('the second', () => asked.length === 5 || undefined);
  say('+OK\r\n');
  await Promise.all([answered('the first', one), answered('the second', two)]);
  assert.deepEqual(carriedOut, ['SUNIONSTORE k a b', 'SET k 2']);
  assert.equal(upstream.isIdle, true);
});

for (const [refusal, words] of [
  [LOADING, ['SET', 'k', '1']],
  [TRYAGAIN, ['SUNIONSTORE', 'k', 'a', 'b']],
  [TRYAGAIN, ['MSET', 'a', '1', 'k', '1']],
] as const) {
  const [word] = refusal.slice(1).split(' ');
  test(`a refused ${words[0]} (${word}) behind which its client changed the key is not tried again`, async (t) => {
    const { carriedOut, asked, say, send } = await setUp(t);
    const client = clientOf();
    const one = send(client, ...words);
    const two = send(client, 'SET', 'k', '2');
    const three = send(client, 'SET', 'k', '3');
    await eventually('all', () => asked.length === 3 || undefined);
    say(refusal);
    say('+OK\r\n');
    await answered('the second', two);
    await answered('the first', one);
    assert.deepEqual(one, [refusal]);
    say('+OK\r\n');
    await answered('the third', three);
    assert.deepEqual(carriedOut, ['SET k 2', 'SET k 3']);
  });
}

test('what waits behind keys that are half moved is carried out once each of them was', async (t) => {
  const { upstream, asked, say, send } = await setUp(t);
  const client = clientOf();
  const one = send(client, 'MSET', 'a', '1', 'k', '1');
  const other = send(client, 'SET', 'l', '1');
  await eventually('both', () => asked.length === 2 || undefined);
  say(TRYAGAIN);
  say('+OK\r\n');
  await answered('the other one', other);
  const two = send(client, 'SET', 'k', '2');
  await eventually('the first again', () => asked.length === 3 || undefined);
  say(TRYAGAIN);
  await eventually('its keys', () => asked.length === 5 || undefined);
  say(LOADING);
  say('+OK\r\n');
  await eventually('the node being passed by', () => !upstream.first.isUsable || undefined);
  upstream.first.update({ unfit: undefined });
  await eventually('the first key again, and what waited', () => asked.length === 7 || undefined);
  say('+OK\r\n');
  say('+OK\r\n');
  await Promise.all([answered('the first', one), answered('the second', two)]);
  assert.deepEqual(asked.slice(2), ['MSET a 1 k 1', 'mset a 1', 'mset k 1', 'mset a 1', 'SET k 2']);
  assert.deepEqual(one, ['+OK\r\n']);
  assert.equal(upstream.isIdle, true);
});

for (const [refusal, words] of [
  [LOADING, ['SET', 'k', '1']],
  [TRYAGAIN, ['MSET', 'a', '1', 'k', '1']],
] as const) {
  const [command, [word]] = [words[0], refusal.slice(1).split(' ')];
  test(`a redirected ${command} (${word}) does not come back behind what its client asked later`, async (t) => {
    const { upstream, carriedOut, asked, say, send } = await setUp(t, { [words.join(' ')]: refusal });
    const client = clientOf();
    const one = send(client, ...words);
    const two = send(client, 'SET', 'k', '2');
    await eventually('both', () => asked.length === 2 || undefined);
    say(MOVED);
    const isRefused = (): boolean => upstream.status().events['held'] === 1 || asked.length > 2;
    await eventually('the refusal of the other node', () => isRefused() || undefined, OFTEN);
    say('+OK\r\n');
    await Promise.all([answered('the first', one), answered('the second', two)]);
    assert.deepEqual([one, asked.slice(2)], [[refusal], []]);
    assert.deepEqual(carriedOut, ['SET k 2']);
  });
}

test('a refused write is tried again only when it is known what became of those behind it', async (t) => {
  const { upstream, carriedOut, asked, say, send } = await setUp(t);
  const client = clientOf();
  const one = send(client, 'SET', 'k', '1');
  const two = send(client, 'SET', 'k', '2');
  await eventually('both', () => asked.length === 2 || undefined);
  say(LOADING);
  await eventually('the first waiting', () => upstream.status().events['held'] === 1 || undefined);
  upstream.owner = upstream.second;
  upstream.tick(performance.now(), false);
  await answered('another client', send(clientOf(), 'SET', 'other', '1'));
  assert.deepEqual(carriedOut, ['SET other 1']);
  say(LOADING);
  await Promise.all([answered('the first', one), answered('the second', two)]);
  assert.deepEqual(carriedOut, ['SET other 1', 'SET k 1', 'SET k 2']);
});

test('a refused write behind which its client may have changed the key is not tried again', async (t) => {
  const { upstream, carriedOut, asked, say, cut, send } = await setUp(t);
  const client = clientOf();
  const one = send(client, 'SET', 'k', '1');
  const two = send(client, 'SET', 'k', '2');
  await eventually('both', () => asked.length === 2 || undefined);
  say(LOADING);
  await eventually('the first waiting', () => upstream.status().events['held'] === 1 || undefined);
  upstream.owner = upstream.second;
  cut();
  await Promise.all([answered('the first', one), answered('the second', two)]);
  assert.deepEqual([one, two, carriedOut], [[LOADING], ['-upstream failure\r\n'], []]);
});

test('what was refused comes before what was not sent yet', async (t) => {
  const { upstream, carriedOut, asked, say, send } = await setUp(t);
  const client = clientOf();
  const one = send(client, 'SET', 'k', '1');
  const two = send(client, 'SET', 'k', '2');
  await eventually('both', () => asked.length === 2 || undefined);
  say(LOADING);
  await eventually('the first waiting', () => upstream.status().events['held'] === 1 || undefined);
  const three = send(client, 'SET', 'k', '3');
  say(LOADING);
  await eventually('all waiting', () => upstream.status().events['held'] === 3 || undefined);
  upstream.owner = upstream.second;
  await Promise.all([one, two, three].map((replies, index) => answered(`reply ${index}`, replies)));
  assert.deepEqual(carriedOut, ['SET k 1', 'SET k 2', 'SET k 3']);
});

test('what is refused again comes before what was refused behind it', async (t) => {
  const { carriedOut, asked, say, send } = await setUp(t);
  const client = clientOf();
  const one = send(client, 'SUNIONSTORE', 'k', 'a', 'b');
  const two = send(client, 'SET', 'k', '2');
  await eventually('both', () => asked.length === 2 || undefined);
  say(TRYAGAIN);
  say("-READONLY You can't write against a read only replica.\r\n");
  for (let round = 3; round <= 4; round++) {
    await eventually('the first again', () => asked.length === round || undefined);
    if (round === 3) say(TRYAGAIN);
  }
  say('+OK\r\n');
  await eventually('the second again', () => asked.length === 5 || undefined);
  say('+OK\r\n');
  await Promise.all([answered('the first', one), answered('the second', two)]);
  assert.deepEqual(carriedOut, ['SUNIONSTORE k a b', 'SET k 2']);
});

test('a refused write behind which its client changed another key is tried again', async (t) => {
  const { upstream, carriedOut, asked, say, send } = await setUp(t);
  const client = clientOf();
  const one = send(client, 'SET', 'k', '1');
  const other = send(client, 'SET', 'l', '2');
  const two = send(client, 'SET', 'k', '2');
  await eventually('all', () => asked.length === 3 || undefined);
  say(LOADING);
  say('+OK\r\n');
  say(LOADING);
  await answered('the other one', other);
  upstream.owner = upstream.second;
  await Promise.all([answered('the first', one), answered('the second', two)]);
  assert.deepEqual(carriedOut, ['SET l 2', 'SET k 1', 'SET k 2']);
});

for (const [what, second, wanted, said] of [
  ['carried out', '+OK\r\n', ['SET k 2'], LOADING],
  ['refused, too', LOADING, ['SET k 1', 'SET k 2'], '+OK\r\n'],
] as const) {
  test(`a write refused by the former owner waits for what is behind it there: ${what}`, async (t) => {
    const { upstream, carriedOut, asked, say, send } = await setUp(t);
    const client = clientOf();
    const one = send(client, 'SET', 'k', '1');
    const two = send(client, 'SET', 'k', '2');
    await eventually('both', () => asked.length === 2 || undefined);
    upstream.owner = upstream.second;
    say(LOADING);
    await eventually('the refusal', () => upstream.status().events['retried'] === 1 || undefined, OFTEN);
    say(second);
    await Promise.all([answered('the first', one), answered('the second', two)]);
    assert.deepEqual(carriedOut, wanted);
    assert.deepEqual(one, [said]);
  });
}
