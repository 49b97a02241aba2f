/**
 * What one client asks of one key at once, where nodes redirect it to different places.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor, type Client } from './servers.ts';

/** That of `k`. */
const SLOT = 7629;

const READONLY = "-READONLY You can't write against a read only replica.\r\n";
const TRYAGAIN = '-TRYAGAIN Multiple keys request during rehashing of slot\r\n';

const NOTHING = '$-1\r\n';
const ONE = '$1\r\n1\r\n';

/** X.SET, as COMMAND INFO has it. */
const DESCRIBED = '*1\r\n*7\r\n$5\r\nx.set\r\n:-3\r\n*1\r\n+write\r\n:1\r\n:1\r\n:1\r\n*0\r\n';
/** Of a slot of the second node. */
const ELSEWHERE = Array.from({ length: 1_000 }, (_, number) => `k${number}`).find(
  (key) => slotOf(Buffer.from(key), 0, key.length) < 1_000,
)!;
/** Of another client, for the first node; answered behind what that has said before. */
const HEARD = 'SET x 1';

interface Scene {
  readonly client: Client;
  readonly other: Client;
  /** Resolves when the node has been asked for so much that it has not answered. */
  readonly asks: (node: number, count: number) => Promise<unknown>;
  /** The same after refusals; as often as it is asked again for the first of them alone, it refuses that once more. */
  readonly asksTogether: (node: number, count: number) => Promise<unknown>;
  /** It answers the oldest of that. */
  readonly say: (node: number, reply: string) => void;
  /** Resolves when what the first node has said is heard, where that has nothing left to answer. */
  readonly isHeard: () => Promise<unknown>;
  /** The slot is that node's, for whoever asks for the topology from now on. */
  readonly own: (node: number) => void;
  readonly move: (node: number) => string;
  readonly ask: (node: number) => string;
  /** What was answered without an error, in that order: all nodes together. */
  readonly carriedOut: readonly string[];
  readonly received: (reply: string) => Promise<unknown>;
}

async function setUp(t: TestContext, count: number): Promise<Scene> {
  const waiting: { readonly words: string; readonly socket: Socket }[][] = Array.from(
    { length: count },
    () => [],
  );
  const carriedOut: string[] = [];
  const cluster = await clusterThat(t, count, (words, node, socket) => {
    if (words === 'ASKING' || words === HEARD) return '+OK\r\n';
    if (/^(?:[SG]ET|mget|DEL|X\.SET) \{?k/i.test(words)) waiting[node]?.push({ words, socket });
    return /^COMMAND/i.test(words) ? DESCRIBED : undefined;
  });
  const own = (owner: number): void => {
    cluster.slots = [
      [5_000, SLOT - 1, 0],
      [SLOT, SLOT, owner],
      [SLOT + 1, 16_383, 0],
      ...Array.from(
        { length: count - 1 },
        (_, index) => [index * 1_000, index * 1_000 + 999, index + 1] as const,
      ),
    ];
  };
  own(0);
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 20_000 });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const [client, other] = [clientOf(t, port), clientOf(t, port)];
  const say: Scene['say'] = (node, reply) => {
    const oldest = waiting[node]?.shift();
    assert.ok(oldest);
    if (!reply.startsWith('-')) carriedOut.push(oldest.words);
    oldest.socket.write(reply);
  };
  const asks = async (node: number, length: number, others?: (count: number) => void): Promise<unknown> =>
    await eventually(
      `${length} commands at node ${node}`,
      () => {
        const count = waiting[node]?.length ?? 0;
        if (count !== length) others?.(count);
        return count === length || undefined;
      },
      {
        seen: () => `${JSON.stringify(waiting.map((all) => all.map(({ words }) => words)))} ${client.got()}`,
      },
    );
  return {
    client,
    other,
    carriedOut,
    asks,
    asksTogether: async (node, length) =>
      await asks(node, length, (count) => {
        if (count > 0) say(node, READONLY);
      }),
    say,
    isHeard: async () => {
      const other = clientOf(t, port);
      other.socket.write(`${HEARD}\r\n`);
      await eventually('the reply of another', () => other.got() === '+OK\r\n' || undefined);
    },
    move: (node) => `-MOVED ${SLOT} ${cluster.addressOf(node)}\r\n`,
    own,
    ask: (node) => `-ASK ${SLOT} ${cluster.addressOf(node)}\r\n`,
    received: async (reply) =>
      await eventually('the replies', () => client.got() === reply || undefined, {
        seen: () => client.got(),
      }),
  };
}

for (const name of ['SET', 'X.SET']) {
  test(`a write whose redirection was taken back is not carried out behind a later ${name}`, async (t) => {
    const { client, asks, say, move, ask, carriedOut, received } = await setUp(t, 2);
    // Then it is known what X.SET is.
    client.socket.write(`${name} k 0\r\n`);
    await asks(0, 1);
    say(0, '+OK\r\n');
    await received('+OK\r\n');
    client.socket.write(`SET k 1\r\n${name} k 2\r\n`);
    await asks(0, 2);
    say(0, ask(1));
    await asks(1, 1);
    // The slot stays after all.
    say(0, '+OK\r\n');
    say(1, move(0));
    await received(`+OK\r\n${move(0)}+OK\r\n`);
    assert.deepEqual(carriedOut, [`${name} k 0`, `${name} k 2`]);
  });
}

test('a write that was refused is carried out all the same behind one of another key', async (t) => {
  const { client, asks, say, carriedOut, received } = await setUp(t, 2);
  client.socket.write('SET k 1\r\nSET {k} 2\r\n');
  await asks(0, 2);
  say(0, READONLY);
  say(0, '+OK\r\n');
  await asks(0, 1);
  say(0, '+OK\r\n');
  await received('+OK\r\n+OK\r\n');
  assert.deepEqual(carriedOut, ['SET {k} 2', 'SET k 1']);
});

test('of several commands with keys that are half moved each goes key by key in its turn', async (t) => {
  const { client, asks, say, carriedOut, received } = await setUp(t, 2);
  client.socket.write('DEL k {k}a\r\nDEL k {k}b\r\n');
  await asks(0, 2);
  for (let count = 2; count > 0; count--) say(0, TRYAGAIN);
  for (let count = 2; count > 0; count--) {
    await asks(0, 1);
    say(0, TRYAGAIN);
    await asks(0, 2);
    for (const reply of [':1\r\n', ':0\r\n']) say(0, reply);
  }
  await received(':1\r\n:1\r\n');
  assert.deepEqual(carriedOut, ['del k', 'del {k}a', 'del k', 'del {k}b']);
});

test('a command that goes key by key waits for older ones of its client', async (t) => {
  const { client, asks, asksTogether, say, carriedOut, received } = await setUp(t, 2);
  client.socket.write('SET k 1\r\nMGET k {k}b\r\n');
  await asks(0, 2);
  say(0, READONLY);
  say(0, TRYAGAIN);
  await asksTogether(0, 2);
  say(0, '+OK\r\n');
  say(0, TRYAGAIN);
  await asks(0, 2);
  say(0, '*1\r\n$1\r\n1\r\n');
  say(0, '*1\r\n$-1\r\n');
  await received('+OK\r\n*2\r\n$1\r\n1\r\n$-1\r\n');
  assert.deepEqual(carriedOut, ['SET k 1', 'mget k', 'mget {k}b']);
});

test('a command that has waited alone is not carried out behind those that are sent with it', async (t) => {
  const { client, asks, say, carriedOut, received } = await setUp(t, 2);
  client.socket.write('DEL k {k}a\r\nDEL k {k}b\r\nSET k 1\r\n');
  await asks(0, 3);
  say(0, TRYAGAIN);
  say(0, TRYAGAIN);
  say(0, READONLY);
  await asks(0, 1);
  say(0, READONLY);
  await asks(0, 2);
  say(0, READONLY);
  say(0, ':1\r\n');
  await asks(0, 1);
  say(0, '+OK\r\n');
  await received(`${READONLY}:1\r\n+OK\r\n`);
  assert.deepEqual(carriedOut, ['DEL k {k}b', 'SET k 1']);
});

test('a part of a command that is refused stays before what its client asked behind the whole', async (t) => {
  const { client, asks, say, carriedOut, received } = await setUp(t, 2);
  client.socket.write('DEL k {k}a\r\nSET k 1\r\n');
  await asks(0, 2);
  say(0, TRYAGAIN);
  say(0, READONLY);
  await asks(0, 1);
  say(0, TRYAGAIN);
  await asks(0, 2);
  say(0, READONLY);
  say(0, ':0\r\n');
  await asks(0, 2);
  say(0, ':1\r\n');
  say(0, '+OK\r\n');
  await received(':1\r\n+OK\r\n');
  assert.deepEqual(carriedOut, ['del {k}a', 'del k', 'SET k 1']);
});

test('a command that goes alone waits for those that are sent before it', async (t) => {
  const { client, asks, asksTogether, say, carriedOut, received } = await setUp(t, 2);
  client.socket.write('SET k 1\r\nMGET k {k}b\r\n');
  await asks(0, 2);
  say(0, READONLY);
  say(0, TRYAGAIN);
  await asksTogether(0, 2);
  say(0, READONLY);
  say(0, TRYAGAIN);
  await asksTogether(0, 2);
  say(0, '+OK\r\n');
  say(0, '*2\r\n$1\r\n1\r\n$-1\r\n');
  await received('+OK\r\n*2\r\n$1\r\n1\r\n$-1\r\n');
  assert.deepEqual(carriedOut, ['SET k 1', 'MGET k {k}b']);
});

test('a write that is redirected twice waits for what its first node has not answered', async (t) => {
  const { client, asks, say, move, ask, carriedOut, received } = await setUp(t, 2);
  client.socket.write('SET k 1\r\nSET k 2\r\n');
  await asks(0, 2);
  say(0, ask(1));
  await asks(1, 1);
  say(1, move(0));
  client.socket.write('SET k 3\r\n');
  client.socket.write('PING\r\n');
  say(0, '+OK\r\n');
  await asks(0, 1);
  say(0, '+OK\r\n');
  await received(`${move(0)}+OK\r\n+OK\r\n+PONG\r\n`);
  assert.deepEqual(carriedOut, ['SET k 2', 'SET k 3']);
});

for (const [what, first, reply] of [
  ['of two writes that are redirected to two nodes the later one waits', 'SET k 1', '+OK\r\n'],
  [
    'a read does not see what its client wrote behind it, where both are redirected to two nodes',
    'GET k',
    '$-1\r\n',
  ],
] as const) {
  test(what, async (t) => {
    const { client, asks, say, own, move, carriedOut, received } = await setUp(t, 3);
    client.socket.write(`${first}\r\nSET k 2\r\n`);
    await asks(0, 2);
    own(2);
    say(0, move(1));
    await asks(1, 1);
    say(0, move(2));
    say(1, move(2));
    await asks(2, 1);
    say(2, reply);
    await asks(2, 1);
    say(2, '+OK\r\n');
    await received(`${reply}+OK\r\n`);
    assert.deepEqual(carriedOut, [first, 'SET k 2']);
  });
}

test('a write that comes after a redirection waits for what was redirected', async (t) => {
  const { client, asks, say, move, ask, carriedOut, received } = await setUp(t, 2);
  client.socket.write('SET k 1\r\n');
  await asks(0, 1);
  say(0, ask(1));
  await asks(1, 1);
  client.socket.write('SET k 2\r\n');
  say(1, move(0));
  await asks(0, 1);
  say(0, '+OK\r\n');
  await asks(0, 1);
  say(0, '+OK\r\n');
  await received('+OK\r\n+OK\r\n');
  assert.deepEqual(carriedOut, ['SET k 1', 'SET k 2']);
});

test('redirections to one node hold up nobody', async (t) => {
  const { client, asks, say, ask, carriedOut, received } = await setUp(t, 2);
  client.socket.write('SET k 1\r\nSET k 2\r\nGET k\r\n');
  await asks(0, 3);
  for (let count = 1; count <= 3; count++) {
    say(0, ask(1));
    await asks(1, count);
  }
  for (const reply of ['+OK\r\n', '+OK\r\n', '$1\r\n2\r\n']) say(1, reply);
  await received('+OK\r\n+OK\r\n$1\r\n2\r\n');
  assert.deepEqual(carriedOut, ['SET k 1', 'SET k 2', 'GET k']);
});

for (const isFirst of [true, false]) {
  const when = isFirst ? 'before' : 'after';
  test(`a read that its node answers ${when} a redirected write of its client is asked again behind it`, async (t) => {
    const { client, asks, say, ask, carriedOut, received } = await setUp(t, 2);
    client.socket.write('SET k 1\r\nGET k\r\n');
    await asks(0, 2);
    say(0, ask(1));
    await asks(1, 1);
    // The slot stays after all: its former node has no key of that name yet.
    if (isFirst) {
      say(0, NOTHING);
      client.socket.write('GET {k}\r\n');
      say(1, '+OK\r\n');
    } else {
      say(1, '+OK\r\n');
      await received('+OK\r\n');
      say(0, NOTHING);
      await asks(0, 1);
      client.socket.write('GET {k}\r\n');
    }
    await asks(0, 2);
    say(0, ONE);
    say(0, NOTHING);
    await received(`+OK\r\n${ONE}${NOTHING}`);
    assert.deepEqual(carriedOut.slice(2), ['GET k', 'GET {k}']);
  });
}

test('a read is asked again also long after the redirected write before it was answered', async (t) => {
  const { client, other, asks, say, ask, received } = await setUp(t, 2);
  client.socket.write('SET k 1\r\nGET k\r\n');
  await asks(0, 2);
  say(0, ask(1));
  await asks(1, 1);
  say(1, '+OK\r\n');
  await received('+OK\r\n');
  // Once what waits is tried again, whatever has waited is looked at.
  other.socket.write(`DEL ${ELSEWHERE}\r\n`);
  await asks(1, 1);
  say(1, TRYAGAIN);
  await asks(1, 1);
  say(0, NOTHING);
  await asks(0, 1);
  say(0, ONE);
  await received(`+OK\r\n${ONE}`);
});

test('a read behind a write whose redirection was taken back is asked again behind it', async (t) => {
  const { client, asks, say, isHeard, move, ask, carriedOut, received } = await setUp(t, 2);
  client.socket.write('SET k 1\r\nGET k\r\n');
  await asks(0, 2);
  say(0, ask(1));
  await asks(1, 1);
  say(0, NOTHING);
  await isHeard();
  say(1, move(0));
  await asks(0, 1);
  say(0, '+OK\r\n');
  await asks(0, 1);
  say(0, ONE);
  await received(`+OK\r\n${ONE}`);
  assert.deepEqual(carriedOut, ['GET k', 'SET k 1', 'GET k']);
});

test('a read of another key than that of a redirected write before it is asked once', async (t) => {
  const { client, asks, say, ask, carriedOut, received } = await setUp(t, 2);
  client.socket.write('SET k 1\r\nGET {k}\r\n');
  await asks(0, 2);
  say(0, ask(1));
  await asks(1, 1);
  say(0, NOTHING);
  say(1, '+OK\r\n');
  await received(`+OK\r\n${NOTHING}`);
  assert.deepEqual(carriedOut, ['GET {k}', 'SET k 1']);
});
