/**
 * Clients that keep what they read: how much they are told where much changes, and where they do not listen.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setTimeout as after } from 'node:timers/promises';

import { eventually } from '../../src/demo/eventually.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { clientOf, planTo, proxyFor, serverThat, type Client } from './servers.ts';

const TRACKING = 'HELLO 3\r\nCLIENT TRACKING ON\r\nGET k\r\n';
const VALUE = '$1\r\nv\r\n';
const HEAD = '>2\r\n$10\r\ninvalidate\r\n';
const EVERYTHING = `${HEAD}_\r\n`;
/** That may wait for one client. */
const MOST_BYTES = 131_072;
/** A piece of it is no more than is told as it is. */
const PIECE_BYTES = 100_000;
/** Longer than what may wait for a subscriber. */
const LONG_VALUE = `$40000000\r\n${'v'.repeat(40_000_000)}\r\n`;
/** What is told again has been, by then. */
const ROUNDS_MS = 600;
/** More than the kernel takes for a client that does not read. */
const TOO_MUCH_BYTES = 14_000_000;

function changed(...keys: readonly string[]): string {
  const bulks = keys.map((key) => `$${key.length}\r\n${key}\r\n`).join('');
  return `${HEAD}*${keys.length}\r\n${bulks}`;
}

interface Setting {
  readonly proxy: Proxy;
  readonly port: number;
  /** One that listens to what it is told, and has read something. */
  readonly other: Client;
  /** Over which the proxy is told what has changed. */
  readonly tracked: Socket;
  /** How many have come. */
  gets: number;
  /** Whether GET is answered. */
  answers: boolean;
  /** What the server was. */
  readonly asked: readonly string[];
}

async function setUp(t: TestContext): Promise<Setting> {
  const found: { tracked?: Socket; setting?: Setting } = {};
  const server = await serverThat(t, (words, socket) => {
    if (words.startsWith('HELLO')) return '%0\r\n';
    if (words === 'CLIENT TRACKING ON') found.tracked = socket;
    if (words === 'GET k') {
      if (found.setting !== undefined) found.setting.gets += 1;
      return found.setting?.answers === false ? undefined : VALUE;
    }
    if (words === 'GET long') return LONG_VALUE;
    return words === 'PING' ? '+PONG\r\n' : '+OK\r\n';
  });
  const { proxy, port } = await proxyFor(t, planTo(server.port));
  const other = await reader(t, port);
  const { asked } = server;
  found.setting = { proxy, port, other, tracked: found.tracked!, gets: 1, answers: true, asked };
  return found.setting;
}

async function reader(t: TestContext, port: number): Promise<Client> {
  const client = clientOf(t, port);
  client.socket.write(TRACKING);
  await eventually('a value', () => client.got().endsWith(VALUE) || undefined);
  return client;
}

async function tellMuch({ tracked, other }: Setting, bytes: number): Promise<void> {
  const rest = ':'.repeat(1_000);
  for (let told = 0; told < bytes; told += PIECE_BYTES) {
    const keys = Array.from({ length: 98 }, (_, index) => `${told + index}${rest}`);
    tracked.write(keys.map((key) => changed(key)).join(''));
    const last = `${keys.at(-1)}\r\n`;
    await eventually('the other one being told', () => other.got().endsWith(last) || undefined);
  }
}

/** What it is told next, if that is what is told to everybody. */
async function toldNext({ tracked, other }: Setting, client: Client, key: string): Promise<string> {
  const before = client.got().length;
  tracked.write(changed(key));
  await eventually('the other one being told', () => other.got().endsWith(changed(key)) || undefined);
  client.socket.write('PING\r\n');
  await eventually('an answer', () => client.got().endsWith('+PONG\r\n') || undefined);
  return client.got().slice(before);
}

test('what changes at the same time is told together', async (t) => {
  const { other, tracked } = await setUp(t);
  const before = other.got().length;
  tracked.write(changed('a') + changed('b', 'c') + changed('d'));
  await eventually('being told', () => other.got().endsWith('d\r\n') || undefined);
  assert.equal(other.got().slice(before), changed('a', 'b', 'c', 'd'));
});

test('much that waits behind a reply is told as everything, twice, and no more until more is asked', async (t) => {
  const setting = await setUp(t);
  const client = await reader(t, setting.port);
  const before = client.got().length;
  setting.answers = false;
  client.socket.write('GET k\r\nPING\r\n');
  await tellMuch(setting, 5 * MOST_BYTES);
  setting.tracked.write(VALUE);
  setting.answers = true;
  await eventually('the answers', () => client.got().includes('+PONG\r\n') || undefined);
  await eventually('all that is told', () => client.got().endsWith(EVERYTHING + EVERYTHING) || undefined);
  const told = client.got().slice(before);
  assert.ok(told.length < MOST_BYTES + 100, `${told.length}`);
  assert.ok(told.startsWith(`${VALUE}+PONG\r\n${HEAD}`) && told.endsWith(EVERYTHING), told.slice(-100));
  assert.equal(await toldNext(setting, client, 'not:kept'), '+PONG\r\n');
  client.socket.write('GET k\r\n');
  await eventually('a value', () => client.got().endsWith(VALUE) || undefined);
  assert.equal(await toldNext(setting, client, 'k'), `${changed('k')}+PONG\r\n`);
});

test('what changes soon after everything is told twice, and what does later once', async (t) => {
  const { other, tracked } = await setUp(t);
  const count = (what: string): number => other.got().split(what).length - 1;
  tracked.write(EVERYTHING);
  await eventually('being told of everything', () => other.got().endsWith(EVERYTHING) || undefined);
  other.socket.write('GET k\r\n');
  await eventually('a value', () => other.got().endsWith(VALUE) || undefined);
  tracked.write(changed('k'));
  await eventually('being told twice', () => count(changed('k')) === 2 || undefined);
  assert.equal(count(EVERYTHING), 2);
  // No longer, and no more often.
  await eventually('being told once', async () => {
    const key = `later:${count('later:')}`;
    tracked.write(changed(key));
    await eventually('being told', () => count(changed(key)) > 0 || undefined);
    await after(ROUNDS_MS);
    return count(changed(key)) === 1 || undefined;
  });
  assert.deepEqual([count(EVERYTHING), count(changed('k'))], [2, 2]);
});

test('before the proxy ends its clients are told that everything may change', async (t) => {
  const setting = await setUp(t);
  const { proxy, other, port } = setting;
  const client = await reader(t, port);
  setting.answers = false;
  client.socket.write('GET k\r\n');
  await eventually('its being asked', () => setting.gets === 3 || undefined);
  const ended = proxy.drain();
  await eventually('the end of one that awaits nothing', () => other.hasEnded || undefined);
  setting.tracked.write(VALUE);
  await ended;
  assert.ok(other.got().endsWith(VALUE + EVERYTHING), other.got());
  assert.ok(client.got().endsWith(VALUE + VALUE + EVERYTHING), client.got());
});

test('a client that does not read what it is told costs a bounded memory, and drops everything', async (t) => {
  const setting = await setUp(t);
  const client = await reader(t, setting.port);
  client.socket.pause();
  await tellMuch(setting, TOO_MUCH_BYTES);
  client.socket.resume();
  await eventually('being told of everything', () => client.got().endsWith(EVERYTHING) || undefined);
  const missing = setting.other.got().length - client.got().length;
  assert.ok(missing > 1_000_000, `${missing}`);
});

test('who is at a long value and is told that something has changed gets both', async (t) => {
  const setting = await setUp(t);
  const { other, tracked } = setting;
  const client = await reader(t, setting.port);
  const before = client.got().length;
  client.socket.pause();
  client.socket.write('GET long\r\n');
  await eventually('the value being asked for', () => setting.asked.includes('GET long') || undefined);
  // Behind the value, over the same connection.
  tracked.write(changed('k'));
  await eventually('the other one being told', () => other.got().endsWith(changed('k')) || undefined);
  client.socket.resume();
  const length = LONG_VALUE.length + changed('k').length;
  await eventually('both', () => client.hasEnded || client.got().length - before >= length || undefined);
  assert.equal(client.hasEnded, false);
  assert.ok(client.got().endsWith(changed('k')));
});
