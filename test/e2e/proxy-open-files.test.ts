import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { serverThat } from '../proxy/servers.ts';
import { CLI } from './command-line.ts';

const CLIENTS = 250;

test('clients that are more than the files that may be open leave some for Redis and the admin', async (t) => {
  const redis = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : '$1\r\nv\r\n'));
  const [port = 0, adminPort = 0] = await freePorts(2);
  const args = [
    CLI,
    'proxy',
    '--mode=proxy',
    `--upstream=127.0.0.1:${redis.port}`,
    `--listen=127.0.0.1:${port}`,
    `--admin-address=127.0.0.1:${adminPort}`,
  ];
  const shell = ['-c', 'ulimit -n 150; exec "$@"', 'sh', process.execPath, ...args];
  const child = spawn('sh', shell, { stdio: ['ignore', 'ignore', 'ignore'] });
  t.after(() => child.kill('SIGKILL'));
  const isReady = async (): Promise<true | undefined> =>
    (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).status === 200 || undefined;
  await eventually('readiness', isReady, { deadlineMs: 60_000 });

  const said: string[] = [];
  for (let count = 0; count < CLIENTS; count++) {
    // Who is turned away stays as long as it may.
    const there = { port, host: '127.0.0.1', allowHalfOpen: true };
    const socket = connect(there, () => socket.write('GET a\r\n'));
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    // Who is turned away may find its connection closed before it has read why.
    void Promise.race([once(socket, 'data'), once(socket, 'close').then(() => ['gone'])]).then(
      ([reply]) => said.push(String(reply)),
      () => said.push('gone'),
    );
  }
  await eventually('a word for each', () => said.length === CLIENTS || undefined, {
    seen: () => String(said.length),
  });
  assert.equal(said.filter((each) => each === '$1\r\nv\r\n').length, 75);
  await eventually('readiness', isReady);
  // Without a file for each of them the system would have closed connections that the proxy never saw.
  const metrics = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  assert.match(metrics, /^redpilot_proxy_clients_refused_total 175$/m);
});
