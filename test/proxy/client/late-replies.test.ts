import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Fault } from '../../../src/api/objects.ts';
import { eventually } from '../../../src/demo/eventually.ts';
import { LateReplies, answerFault } from '../../../src/proxy/client/late-replies.ts';
import { commandByName } from '../../../src/redis/command-table.ts';
import { takeRequest } from '../../../src/proxy/wire/request.ts';
import { clientOf, planTo, proxyFor, serverThat, withFault } from '../servers.ts';

const HOUR_MS = 3_600_000;
const DELAY: Fault = { type: 'DELAY', percentage: 100, delayMs: HOUR_MS, commands: [] };
const MIB = 1_048_576;
const VALUE = 'x'.repeat(400_000);

test('of a client whose replies are late no more is asked once 1 MiB of them is kept', async (t) => {
  const redis = await serverThat(t, (words) =>
    words === 'GET a' ? `$${VALUE.length}\r\n${VALUE}\r\n` : '+OK\r\n',
  );
  const { proxy, port } = await proxyFor(t, withFault(planTo(redis.port), DELAY), { drainMs: 100 });
  const client = clientOf(t, port);
  const answered = (): number =>
    Object.values(proxy.status()[0]?.nodes[0]?.repliesWithinMs ?? {}).reduce((sum, count) => sum + count, 0);
  const enough = Math.ceil(MIB / VALUE.length);
  for (let count = 1; count <= enough; count++) {
    client.socket.write('GET a\r\n');
    await eventually(`reply ${count}`, () => answered() === count || undefined);
  }
  client.socket.write('GET a\r\n'.repeat(20));
  // Behind them, over the same connection.
  clientOf(t, port).socket.write('SET b 1\r\n');
  await eventually('another client', () => redis.asked.includes('SET b 1') || undefined);
  assert.equal(redis.asked.filter((words) => words === 'GET a').length, enough);
});

test('what is late for a client that has gone is not kept', () => {
  const owned = new Set<{ close(): void }>();
  let delivered = 0;
  const client = {
    own: (late: { close(): void }) => void owned.add(late),
    disown: (late: { close(): void }) => void owned.delete(late),
    answer: () => assert.fail('it is not late'),
    deliver: () => void (delivered += 1),
  };
  const [late, failed] = [takeRequest(), takeRequest()];
  new LateReplies(client, HOUR_MS).deliver(late, Buffer.from('+one\r\n'), 0, 6);
  failed.sink = client;
  answerFault({ ...DELAY, type: 'ERROR' }, commandByName('get')!, client, () => failed);
  assert.equal(owned.size, 2);
  for (const each of owned) each.close();
  // Each request is back.
  assert.equal(delivered, 2);
});
