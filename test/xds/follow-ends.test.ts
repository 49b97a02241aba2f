import assert from 'node:assert/strict';
import { test } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { followXds } from '../../src/xds/follow.ts';
import { Recorder } from './recorder.ts';

/** Those that keep a process from ending. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}

test('who gives up a control plane that is not there leaves nothing behind that would keep the process', async () => {
  const [port = 0] = await freePorts(1);
  const before = timers();
  const lines: string[] = [];
  const say = (message: string): void => void lines.push(message);
  const follower = await followXds({
    address: { host: '127.0.0.1', port },
    tls: undefined,
    node: { id: 'proxy-1' },
    receiver: new Recorder(),
    log: { info: say, warn: say },
  });
  await eventually('its being missed', () => lines.length > 0 || undefined);
  await follower.close();
  assert.equal(timers(), before);
});
