import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Node } from '../../../src/proxy/topology/node.ts';
import { NodeLog } from '../../../src/proxy/topology/node-log.ts';

function scene() {
  const lines: string[] = [];
  const log = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
  const node = {
    address: '10.0.0.1:6379',
    isUsable: true,
    isProbed: true,
    state: 'no connection: ECONNREFUSED',
  };
  const nodeLog = new NodeLog('redis/cache', log as never);
  return { lines, node, nodeLog, look: (now: number) => nodeLog.look(node as Node, now) };
}

test('a node that may not be asked is told once, with the reason, and once that it may be again', () => {
  const { lines, node, look } = scene();
  look(0);
  node.isUsable = false;
  for (let now = 50; now < 5_000; now += 50) look(now);
  assert.deepEqual(lines, ['redis/cache: 10.0.0.1:6379 gets no commands (no connection: ECONNREFUSED)']);
  node.isUsable = true;
  look(5_000);
  look(5_050);
  assert.deepEqual(lines.slice(1), ['redis/cache: 10.0.0.1:6379 gets commands again']);
});

test('a new primary is told once; those of the first map are not', () => {
  const { lines, nodeLog } = scene();
  nodeLog.lookAtPrimaries(['10.0.0.1:6379', '10.0.0.2:6379']);
  for (let count = 0; count < 3; count++) nodeLog.lookAtPrimaries(['10.0.0.1:6379', '10.0.0.3:6379']);
  assert.deepEqual(lines, ['redis/cache: 10.0.0.3:6379 is a primary now']);
});

test('moments are not told', () => {
  const { lines, node, look } = scene();
  for (let now = 0; now < 10_000; now += 500) {
    node.isUsable = !node.isUsable;
    look(now);
  }
  assert.deepEqual(lines, []);
});

test('a server that its cluster has left out of the map meanwhile is told to be back', () => {
  const { lines, node, nodeLog, look } = scene();
  node.isUsable = false;
  for (let now = 0; now < 2_000; now += 50) look(now);
  assert.equal(lines.length, 1);
  const returned = { ...node, isUsable: true, isProbed: false };
  nodeLog.look(returned as Node, 20_000);
  assert.equal(lines.length, 1, 'not before it has been asked');
  returned.isProbed = true;
  nodeLog.look(returned as Node, 20_050);
  assert.deepEqual(lines.slice(1), ['redis/cache: 10.0.0.1:6379 gets commands again']);
});
