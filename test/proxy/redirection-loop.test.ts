import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

/** Of the key `a`. */
const SLOT = 15_495;

for (const word of ['MOVED', 'ASK']) {
  test(`nodes that send each other's commands back by ${word}: an error after five hops, others are served`, async (t) => {
    const cluster = await clusterThat(t, 2, (words, node) => {
      if (words === 'SET a 1') return `-${word} ${SLOT} ${cluster.addressOf(1 - node)}\r\n`;
      return words === 'ASKING' || words === 'SET b 1' ? '+OK\r\n' : undefined;
    });
    const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 20_000 });
    await eventually('the topology', () => proxy.notReady() === undefined || undefined);
    const client = clientOf(t, port);
    client.socket.write('SET a 1\r\nSET b 1\r\n');
    const wanted = '-upstream failure: redirected more than 5 times\r\n+OK\r\n';
    await eventually('both replies', () => client.got().length >= wanted.length || undefined);
    assert.equal(client.got(), wanted);
    const asked = [0, 1].flatMap((node) => cluster.askedOf(node)).filter((words) => words === 'SET a 1');
    assert.equal(asked.length, 6);
  });
}

for (const [what, asked, command, answer, wanted] of [
  ['command', 'RENAME a {a}2', 'RENAME a {a}2', '+OK\r\n', '+OK\r\n'],
  ['command that waits', 'BLPOP a {a}2 0', 'BLPOP a {a}2 0', '*-1\r\n', '*-1\r\n'],
  ['transaction', 'MULTI\r\nDEL a {a}2', 'DEL a {a}2', '+QUEUED\r\n', '+OK\r\n+QUEUED\r\n'],
] as const) {
  test(`a ${what} that is redirected to a node that has not all of its keys yet is tried until it has`, async (t) => {
    let tries = 0;
    const cluster = await clusterThat(t, 2, (words, node) => {
      if (words === 'ASKING' || words === 'MULTI') return '+OK\r\n';
      if (words !== command) return undefined;
      if (node === 0) return `-ASK ${SLOT} ${cluster.addressOf(1)}\r\n`;
      tries += 1;
      return tries > 8 ? answer : '-TRYAGAIN Multiple keys request during rehashing of slot\r\n';
    });
    const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 20_000 });
    await eventually('the topology', () => proxy.notReady() === undefined || undefined);
    const client = clientOf(t, port);
    client.socket.write(`${asked}\r\n`);
    await eventually('the reply', () => client.got().length >= wanted.length || undefined);
    assert.equal(client.got(), wanted);
  });
}
