/** What load balancers see of a process that was told to stop: it is unready before it is gone. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { startFromFiles } from '../commands/file-control-plane.ts';
import { startProxyCommand } from './proxy-command.ts';
import { startRecordingNode } from './recording-node.ts';
import { answerOf, connect } from './sidecar.ts';

const SAMPLE = fileURLToPath(new URL('../../manifests/samples/read-policy.yaml', import.meta.url));

async function readiness(admin: string): Promise<string> {
  const answer = await fetch(`${admin}/readyz`);
  return `${answer.status} ${await answer.text()}`;
}

for (const more of [[], ['--workers', '2']]) {
  test(`a proxy that answers what was asked before it ends is unready${more.length > 0 ? ', with workers too' : ''}`, async (t: TestContext) => {
    const node = await startRecordingNode(t, ({ name }) => (name === 'get' ? '' : undefined));
    const [port = 0] = await freePorts(1);
    const upstream = ['--upstream', `127.0.0.1:${node.port}`, '--mode', 'proxy'];
    const proxy = await startProxyCommand(t, [...upstream, '--listen', `127.0.0.1:${port}`, ...more]);
    const answer = answerOf(connect(t, port, { enableReadyCheck: false }).get('key'));
    await eventually('the command', () => node.received.some(({ name }) => name === 'get') || undefined);
    const ended = proxy.stop();
    await eventually('that it is stopping', () => proxy.said().includes('stopping') || undefined);
    assert.equal(await readiness(proxy.admin), '503 it is being stopped\n');
    assert.match(String(await answer), /upstream failure/);
    assert.equal(await ended, 0);
  });
}

test('a control plane that waits for its connections to end is unready', async (t) => {
  const controlPlane = await startFromFiles(SAMPLE);
  const admin = `http://${controlPlane.adminAddress}`;
  assert.match(await readiness(admin), /^200/);
  const silent = connectTo(Number(controlPlane.xdsAddress.split(':')[1]), '127.0.0.1');
  t.after(() => silent.destroy());
  await once(silent, 'connect');
  const closed = controlPlane.close();
  assert.equal(await readiness(admin), '503 it is being stopped\n');
  await closed;
});
