import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { HeldChannels, PLACE_BYTES } from '../../src/proxy/pubsub/held-channels.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

/** Longer ones would cost the scripted server seconds, which puts them together of pieces. */
const LONG = 1_000_000;
const FITTING = 67;

test('who subscribes to more than 64 MiB of names in all is told so and let go', async (t) => {
  const redis = await serverThat(t, (words) => {
    const [name = '', channel = ''] = words.split(' ');
    return name.toUpperCase() === 'SUBSCRIBE'
      ? `*3\r\n$9\r\nsubscribe\r\n$${channel.length}\r\n${channel}\r\n:1\r\n`
      : '+OK\r\n';
  });
  // However long the server takes to read them.
  const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 60_000 });
  const client = clientOf(t, port);
  for (let index = 0; index <= FITTING; index++)
    client.socket.write(`*2\r\n$9\r\nSUBSCRIBE\r\n$${LONG}\r\n${`${index}`.padEnd(LONG, 'x')}\r\n`);
  await eventually('its end', () => client.socket.closed || undefined, { deadlineMs: 60_000 });
  const got = client.got();
  assert.equal(got.match(/subscribe\r\n\$/g)?.length, FITTING);
  assert.ok(got.endsWith('-ERR subscribed to too much: the names may take 64 MiB in all\r\n'));
});

test('what channels take is given back with them', () => {
  const held = new HeldChannels();
  const { fresh } = held.change('subscribe', ['a', 'bc', 'a'], 0);
  assert.equal(held.bytes, 3 + 2 * PLACE_BYTES);
  held.forget('subscribe', fresh);
  assert.equal(held.bytes, 0);
  held.add('ssubscribe', 'a');
  const { left } = held.change('sunsubscribe', [], 1);
  assert.equal(held.bytes, 0);
  held.takeBack('sunsubscribe', left);
  held.add('ssubscribe', 'a');
  assert.equal(held.bytes, 1 + PLACE_BYTES);
});
