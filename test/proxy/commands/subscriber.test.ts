import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import type { OwnConnection } from '../../../src/proxy/upstream/own-connection.ts';
import { takeRequest } from '../../../src/proxy/wire/request.ts';
import type { Session } from '../../../src/proxy/client/session.ts';
import { Subscriber } from '../../../src/proxy/commands/subscriber.ts';
import { findCommand } from '../../../src/redis/command-table.ts';

test('what was subscribed is kept while nobody can be asked after a lost connection', async () => {
  const sent: string[] = [];
  const connectionTo = (name: string): OwnConnection =>
    ({
      connection: { isClosed: false },
      send: (_: unknown, bytes: Buffer) => void sent.push(`${name}: ${bytes.toString().split('\r\n')[4]}`),
      close: () => {},
    }) as unknown as OwnConnection;
  const first = connectionTo('first');
  const found = [first, undefined, undefined, connectionTo('second')];
  const subscriber = new Subscriber({} as Session, 20_000, {
    upstream: () => undefined,
    open: () => found.shift(),
    isElsewhere: () => false,
    moved: () => {},
    count: () => 1,
  });
  const name = Buffer.from('subscribe');
  const command = findCommand(name, 0, name.length);
  assert.ok(command);
  const request = Object.assign(takeRequest(), { sink: { deliver: () => {} }, startedAt: performance.now() });
  subscriber.send(command, ['news'], request);
  first.onLost();
  await eventually('the second connection', () => sent.length === 2 || undefined, {
    seen: () => sent.join('; '),
  });
  subscriber.close();
  assert.deepEqual(sent, ['first: news', 'second: news']);
});
