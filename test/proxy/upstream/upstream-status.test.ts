import { test } from 'node:test';

import { freePorts } from '../../../src/demo/child-process.ts';
import { eventually } from '../../../src/demo/eventually.ts';
import { planTo, proxyFor, serverThat } from '../servers.ts';

test('a plain server that lets the proxy in is fit', async (t) => {
  const redis = await serverThat(t, () => '+PONG\r\n');
  const { proxy } = await proxyFor(t, planTo(redis.port));
  const state = (): string => proxy.status()[0]?.nodes[0]?.state ?? '';
  await eventually('its state', () => state() === 'fit' || undefined, { seen: state, deadlineMs: 10_000 });
});

test('a plain server that is there only later is fit then', async (t) => {
  let isStarting = true;
  const redis = await serverThat(t, (_, socket) => {
    if (isStarting) socket.destroy();
    return '+PONG\r\n';
  });
  const { proxy } = await proxyFor(t, planTo(redis.port));
  await eventually('that all have been asked', () => proxy.notReady() === undefined || undefined);
  isStarting = false;
  const state = (): string => proxy.status()[0]?.nodes[0]?.state ?? '';
  await eventually('its state', () => state() === 'fit' || undefined, { seen: state, deadlineMs: 10_000 });
});

test('why a plain server is not reached is told where no command has tried it', async (t) => {
  const [port = 0] = await freePorts(1);
  const { proxy } = await proxyFor(t, planTo(port));
  const state = (): string => proxy.status()[0]?.nodes[0]?.state ?? '';
  await eventually('the reason', () => state() === 'no connection: ECONNREFUSED' || undefined, {
    seen: state,
  });
});
