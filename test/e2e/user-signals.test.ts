import assert from 'node:assert/strict';
import { test } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { startProxyCommand } from './proxy-command.ts';
import { startRecordingNode } from './recording-node.ts';
import { connect } from './sidecar.ts';

test('SIGUSR1 and SIGUSR2 open no debugger, end nothing, and are told to have no effect, by workers too', async (t) => {
  const node = await startRecordingNode(t);
  const [port = 0] = await freePorts(1);
  const upstream = ['--upstream', `127.0.0.1:${node.port}`, '--mode', 'proxy'];
  const proxy = await startProxyCommand(t, [...upstream, '--listen', `127.0.0.1:${port}`, '--workers', '2']);
  const pids = new Set(Array.from(proxy.said().matchAll(/"pid":(\d+)/g), ([, pid]) => Number(pid)));
  assert.equal(pids.size, 3);
  const client = connect(t, port, { enableReadyCheck: false });
  assert.equal(await client.ping(), 'PONG');
  for (const pid of pids) {
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
      process.kill(pid, signal);
      await eventually(
        `${signal} of ${pid}`,
        () => new RegExp(`"pid":${pid},.*${signal} has no effect`).test(proxy.said()) || undefined,
        { seen: () => proxy.said() },
      );
    }
  }
  assert.equal(await client.ping(), 'PONG');
  assert.doesNotMatch(proxy.said(), /Debugger listening/);
  assert.equal(await proxy.stop(), 0);
});
