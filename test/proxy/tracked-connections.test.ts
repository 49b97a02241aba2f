/**
 * Connections over which a server tells what has changed: how long they are there, and how many of them.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';

import { SecretText } from '../../src/api/secret-text.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

const TRACKING = 'HELLO 3\r\nCLIENT TRACKING ON\r\n';

test('what is under way as another plan leads its client elsewhere is answered', async (t) => {
  let write: Socket | undefined;
  let isAsked = false;
  const server = await serverThat(t, (words, socket) => {
    if (words.startsWith('HELLO')) return '%0\r\n';
    if (words === 'SET k v') write = socket;
    if (words === 'SET k v') return undefined;
    isAsked ||= words === 'PING' && write !== undefined && write !== socket;
    return words === 'PING' ? '+PONG\r\n' : '+OK\r\n';
  });
  const { proxy, port } = await proxyFor(t, planTo(server.port));
  const [writer, other] = [clientOf(t, port), clientOf(t, port)];
  writer.socket.write(`${TRACKING}SET k v\r\n`);
  await eventually('its being asked', () => write);
  await proxy.update(planTo(server.port, { upstreamPassword: new SecretText('new') }));
  other.socket.write(`${TRACKING}GET k\r\n`);
  // By then the former connections have been looked at, too.
  await eventually('the new ones being asked whether they are there', () => isAsked || undefined);
  write?.write('+WRITTEN\r\n');
  await eventually('its answer', () => /\+OK\r\n(?:\+WRITTEN|-.*)\r\n/.test(writer.got()) || undefined, {
    seen: () => writer.got(),
  });
  assert.match(writer.got(), /\+WRITTEN\r\n/);
});

test('a server that does not let the proxy in is not connected to anew for each command', async (t) => {
  let made = 0;
  const server = await serverThat(t, (words) => {
    if (words.startsWith('CLIENT TRACKING')) made += 1;
    return words.startsWith('HELLO') ? '-WRONGPASS no\r\n' : '-NOAUTH Authentication required.\r\n';
  });
  const { port } = await proxyFor(t, planTo(server.port, { upstreamPassword: new SecretText('old') }));
  const client = clientOf(t, port);
  client.socket.write(TRACKING);
  for (let count = 1; count <= 10; count++) {
    client.socket.write('GET k\r\n');
    await eventually('its answer', () => client.got().split('-NOAUTH').length > count || undefined);
  }
  assert.equal(made, 1);
});

test('what a server tells in the middle of a reply is told behind it', async (t) => {
  const told = '>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n';
  const server = await serverThat(t, (words) => {
    if (words.startsWith('HELLO')) return '%0\r\n';
    if (words === 'MGET k l') return `*2\r\n${told}_\r\n$1\r\nv\r\n`;
    return words.startsWith('GET') ? `+${words}\r\n` : '+OK\r\n';
  });
  const { port } = await proxyFor(t, planTo(server.port));
  const client = clientOf(t, port);
  client.socket.write(`${TRACKING}MGET k l\r\nGET a\r\n`);
  await eventually('being told', () => client.got().endsWith(told) || undefined, {
    seen: () => client.got(),
  });
  assert.match(client.got(), /\+OK\r\n\*2\r\n_\r\n\$1\r\nv\r\n\+GET a\r\n>2/);
  client.socket.write('GET b\r\n');
  await eventually('the next reply', () => client.got().endsWith('+GET b\r\n') || undefined, {
    seen: () => client.got(),
  });
});

for (const refusal of [
  "-NOPERM this user has no permissions to run the 'hello' command or its subcommand\r\n",
  '-ERR unknown command `HELLO`\r\n',
]) {
  test(`a server that refuses HELLO, and would not tell what it tracks, has its clients leave (${refusal.trim()})`, async (t) => {
    const server = await serverThat(t, (words) => (words.startsWith('HELLO') ? refusal : '+OK\r\n'));
    const { port } = await proxyFor(t, planTo(server.port));
    const [client, other] = [clientOf(t, port), clientOf(t, port)];
    client.socket.write(`${TRACKING}GET k\r\n`);
    await eventually('being disconnected', () => client.hasEnded || undefined, { seen: () => client.got() });
    other.socket.write(TRACKING);
    await eventually('why', () => other.got().includes(refusal.slice(1)) || undefined, {
      seen: () => other.got(),
    });
  });
}

for (const given of ['`3`, `AUTH`, `default`, `s3cret`, ', "'3' 'AUTH' 'default' 's3cret' "]) {
  test(`of what a server without HELLO was given its clients hear nothing (${given})`, async (t) => {
    const refusal = `-ERR unknown command 'HELLO', with args beginning with: ${given}\r\n`;
    const server = await serverThat(t, (words) => (words.startsWith('HELLO') ? refusal : '+OK\r\n'));
    const upstreamPassword = new SecretText('s3cret');
    const { port, lines } = await proxyFor(t, planTo(server.port, { upstreamPassword }));
    const [client, other] = [clientOf(t, port), clientOf(t, port)];
    client.socket.write(`${TRACKING}GET k\r\n`);
    await eventually('being disconnected', () => client.hasEnded || undefined, { seen: () => client.got() });
    other.socket.write(TRACKING);
    await eventually('why', () => other.got().includes("unknown command 'HELLO'") || undefined);
    assert.doesNotMatch(other.got() + client.got() + lines.join(''), /s3cret/);
  });
}

test('what a script of a transaction has read may have changed once its connection is closed', async (t) => {
  const server = await serverThat(t, (words) => {
    if (words.startsWith('HELLO')) return '%0\r\n';
    return words === 'EXEC' ? '*2\r\n$1\r\nv\r\n+PONG\r\n' : '+QUEUED\r\n';
  });
  const { port } = await proxyFor(t, planTo(server.port));
  const client = clientOf(t, port);
  // Behind PING it is not used again.
  client.socket.write(`${TRACKING}MULTI\r\nEVAL script 0\r\nPING\r\nEXEC\r\n`);
  await eventually(
    'being told',
    () => client.got().endsWith('+PONG\r\n>2\r\n$10\r\ninvalidate\r\n_\r\n') || undefined,
    { seen: () => client.got() },
  );
});

test('a server that refuses to track, and then is silent, is left with the plan', async (t) => {
  let tracked: Socket | undefined;
  const refusal = '-NOPERM no permissions\r\n';
  const server = await serverThat(t, (words, socket) => {
    if (words.startsWith('HELLO')) return '%0\r\n';
    if (words.startsWith('CLIENT')) return refusal;
    if (words === 'GET k') tracked = socket;
    return words === 'GET k' ? undefined : '+PONG\r\n';
  });
  const { proxy, port } = await proxyFor(t, planTo(server.port));
  const client = clientOf(t, port);
  client.socket.write(`${TRACKING}GET k\r\n`);
  await eventually('being asked', () => tracked);
  await eventually('being disconnected', () => client.hasEnded || undefined);
  await proxy.update(planTo(server.port, { upstreamPassword: new SecretText('new') }));
  await eventually('its end', () => tracked?.destroyed || undefined);
});

for (const [what, isSame, wanted] of [
  ['to the same servers', true, [false, false]],
  ['elsewhere', false, [true, false]],
] as const) {
  test(`of a plan that leads ${what} ${isSame ? 'nobody is told' : 'those are told that have read something'}`, async (t) => {
    const answer = (words: string): string =>
      words.startsWith('HELLO') ? '%0\r\n' : words === 'GET k' ? '$1\r\nv\r\n' : '+OK\r\n';
    const [server, later] = [await serverThat(t, answer), await serverThat(t, answer)];
    const plan = planTo(server.port);
    const { proxy, port } = await proxyFor(t, plan);
    const clients = [`${TRACKING}GET k\r\n`, TRACKING].map((asked) => {
      const client = clientOf(t, port);
      client.socket.write(`${asked}PING\r\n`);
      return client;
    });
    const heard = async (pongs: number): Promise<void> => {
      for (const client of clients)
        await eventually('an answer', () => client.got().split('+PONG').length > pongs || undefined);
    };
    await heard(1);
    await proxy.update(isSame ? { ...plan } : planTo(later.port, { listen: plan.listeners[0]!.bind }));
    for (const { socket } of clients) socket.write('PING\r\n');
    await heard(2);
    assert.deepEqual(
      clients.map((client) => client.got().includes('invalidate')),
      wanted,
    );
  });
}
