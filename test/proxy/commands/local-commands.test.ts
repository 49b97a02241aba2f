import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { SecretText } from '../../../src/api/secret-text.ts';
import { eventually } from '../../../src/demo/eventually.ts';
import { slotOf } from '../../../src/redis/slots.ts';
import { clientOf, planTo, proxyFor } from '../servers.ts';

/** What is answered, each character a byte, to lines that nobody behind the proxy sees. */
async function talk(
  t: TestContext,
  lines: readonly string[],
  password?: string,
  plan = planTo(1),
): Promise<readonly string[]> {
  const clientAuth =
    password === undefined
      ? ({ kind: 'none' } as const)
      : ({ kind: 'password', username: undefined, password: new SecretText(password) } as const);
  const listeners = plan.listeners.map((each) => ({ ...each, listener: { ...each.listener, clientAuth } }));
  const { port } = await proxyFor(t, { ...plan, listeners });
  const client = clientOf(t, port);
  client.socket.write(Buffer.from(`${lines.join('\r\n')}\r\nQUIT\r\n`, 'latin1'));
  await eventually('the end', () => client.hasEnded || undefined);
  return client.got().split('\r\n').slice(0, -2);
}

const bytesOf = (text: string): string => Buffer.from(text).toString('latin1');

test('ECHO and PING give back the bytes that came', async (t) => {
  assert.deepEqual(await talk(t, ['ECHO \xff\xe4', 'PING \xff']), ['$2', '\xff\xe4', '$1', '\xff']);
});

test('an error quotes the bytes that came', async (t) => {
  assert.deepEqual(await talk(t, ['CLIENT \xff']), ["-ERR unknown subcommand '\xff'. Try CLIENT HELP."]);
});

test('what Redis has and the proxy has not is no unknown subcommand', async (t) => {
  const notHere = (name: string): string =>
    `-ERR 'client|${name}' is not carried out by this proxy: CLIENT HELP says what is`;
  assert.deepEqual(await talk(t, ['CLIENT UNBLOCK 1', 'CLIENT REPLY OFF', 'CLIENT GETNAME x']), [
    notHere('unblock'),
    notHere('reply'),
    "-ERR wrong number of arguments for 'client|getname' command",
  ]);
});

test('what a library switches on as it connects is taken, and what is none of it refused', async (t) => {
  const asked = ['NO-EVICT on', 'NO-TOUCH OFF', 'CAPA redirect', 'CAPA redirect unheard-of'];
  assert.deepEqual(
    await talk(
      t,
      asked.map((words) => `CLIENT ${words}`),
    ),
    asked.map(() => '+OK'),
  );
  assert.deepEqual(
    await talk(t, ['CLIENT NO-EVICT x', 'CLIENT NO-TOUCH x', 'CLIENT CAPA', 'CLIENT NO-TOUCH']),
    [
      '-ERR syntax error',
      '-ERR syntax error',
      "-ERR wrong number of arguments for 'client|capa' command",
      "-ERR wrong number of arguments for 'client|no-touch' command",
    ],
  );
});

test('keys need not be text', async (t) => {
  const slot = slotOf(Buffer.from('\xff', 'latin1'), 0, 1);
  assert.deepEqual(await talk(t, ['CLUSTER KEYSLOT \xff']), [`:${slot}`]);
});

test('a password is compared by its bytes', async (t) => {
  assert.deepEqual(await talk(t, [`AUTH ${bytesOf('caf\u00e9')}`], 'caf\u00e9'), ['+OK']);
  for (const [wrong, right] of [
    ['caf\xe9', 'caf\u00e9'],
    // What is no text was read as the sign for that.
    ['\xff', '\ufffd'],
  ] as const) {
    const [reply] = await talk(t, [`AUTH ${wrong}`], right);
    assert.match(reply ?? '', /^-WRONGPASS/);
  }
});

test('a name is what Redis takes for one, by CLIENT SETNAME and by HELLO', async (t) => {
  const problem = '-ERR Client names cannot contain spaces, newlines or special characters.';
  assert.deepEqual(
    await talk(t, ['CLIENT SETNAME \xff', 'HELLO 2 SETNAME \xff', 'CLIENT SETNAME good', 'CLIENT GETNAME']),
    [problem, problem, '+OK', '$4', 'good'],
  );
});

test('what a library says of itself is no more than a word', async (t) => {
  assert.deepEqual(await talk(t, ['CLIENT SETINFO LIB-NAME "a b"', 'CLIENT SETINFO LIB-VER 1.0']), [
    '-ERR LIB-NAME cannot contain spaces, newlines or special characters.',
    '+OK',
  ]);
});

const ONLY_DATABASE_0 =
  "-ERR 'select' of another database than 0 is not carried out by this proxy, whose clients share connections; tell applications apart by prefixes of their keys";

test('SELECT says what is true: before a cluster what Redis says, before plain servers why', async (t) => {
  const cluster = planTo(1, { mode: 'cluster' });
  assert.deepEqual(await talk(t, ['SELECT 1', 'SELECT 0'], undefined, cluster), [
    '-ERR SELECT is not allowed in cluster mode',
    '+OK',
  ]);
  assert.deepEqual(await talk(t, ['SELECT 1', 'SELECT 0']), [ONLY_DATABASE_0, '+OK']);
});

test('the cluster of one node has no links, no replicas, and nobody who reports its failure', async (t) => {
  const id = 'ed'.repeat(20);
  const about = ['REPLICAS', 'SLAVES', 'COUNT-FAILURE-REPORTS'];
  assert.deepEqual(await talk(t, ['CLUSTER LINKS', ...about.map((name) => `CLUSTER ${name} ${id}`)]), [
    '*0',
    '*0',
    '*0',
    ':0',
  ]);
  assert.deepEqual(
    await talk(
      t,
      about.map((name) => `CLUSTER ${name} other`),
    ),
    about.map(() => '-ERR Unknown node other'),
  );
});

test('of CLUSTER what changes a cluster is refused, with the reason, and what does not exist is unknown', async (t) => {
  const notHere = (name: string, why: string): string =>
    `-ERR 'cluster|${name}' is not carried out by this proxy: ${why}`;
  const asked = [
    'MEET 127.0.0.1 1',
    'FAILOVER',
    'setslot 1 STABLE',
    'SLOT-STATS SLOTSRANGE 0 1',
    'COUNTKEYSINSLOT 1',
    'ODD',
  ];
  assert.deepEqual(
    await talk(
      t,
      asked.map((words) => `CLUSTER ${words}`),
    ),
    [
      notHere('meet', 'it is for administrators, who ask a node itself'),
      notHere('failover', 'it is for administrators, who ask a node itself'),
      notHere('setslot', 'it is for administrators, who ask a node itself'),
      notHere('slot-stats', 'each node tells of itself, if it is asked directly'),
      notHere('countkeysinslot', 'plain servers have no slots'),
      "-ERR unknown subcommand 'ODD'. Try CLUSTER HELP.",
    ],
  );
});

test('SELECT takes a number for what Redis takes for one', async (t) => {
  const notANumber = '-ERR value is not an integer or out of range';
  const words = ['0', '00', '-0', '+0', '01', '1', '2147483648', '99999999999999999999'];
  assert.deepEqual(
    await talk(
      t,
      words.map((word) => `SELECT ${word}`),
    ),
    [
      '+OK',
      notANumber,
      notANumber,
      notANumber,
      notANumber,
      ONLY_DATABASE_0,
      '-ERR value is out of range, value must between -2147483648 and 2147483647',
      notANumber,
    ],
  );
});

test('HELLO takes a number for what Redis takes for one', async (t) => {
  assert.deepEqual(await talk(t, ['HELLO 03']), ['-ERR Protocol version is not an integer or out of range']);
});

test('CLIENT TRACKINGINFO says, as Redis does, that there is none', async (t) => {
  const said = ['$5', 'flags', '*1', '$3', 'off', '$8', 'redirect', ':-1', '$8', 'prefixes', '*0'];
  assert.deepEqual(await talk(t, ['CLIENT TRACKINGINFO']), ['*6', ...said]);
  const inThree = (await talk(t, ['HELLO 3', 'CLIENT TRACKINGINFO'])).slice(-said.length - 1);
  assert.deepEqual(inThree, ['%3', '$5', 'flags', '~1', ...said.slice(3)]);
  assert.deepEqual(await talk(t, ['CLIENT TRACKINGINFO x']), [
    "-ERR wrong number of arguments for 'client|trackinginfo' command",
  ]);
});

for (const [name, some] of [
  ['CLIENT', '+ID, GETNAME'],
  ['CLUSTER', '+INFO, LINKS'],
] as const) {
  test(`${name} HELP tells what of ${name} is there`, async (t) => {
    const [count, first, ...others] = await talk(t, [`${name} HELP`]);
    assert.equal(count, `*${others.length + 1}`);
    assert.match(first ?? '', new RegExp(`^\\+${name} <subcommand>`));
    assert.ok(others.some((line) => line.startsWith(some)));
  });
}
