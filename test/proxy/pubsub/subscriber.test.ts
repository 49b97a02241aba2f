import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import type { OwnConnection } from '../../../src/proxy/upstream/own-connection.ts';
import { takeRequest } from '../../../src/proxy/wire/request.ts';
import type { Session } from '../../../src/proxy/client/session.ts';
import { Subscriber } from '../../../src/proxy/pubsub/subscriber.ts';
import { commandByName, findCommand } from '../../../src/redis/command-table.ts';
import { array } from '../servers.ts';

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
    stuck: () => {},
    moved: () => {},
    count: () => 1,
    takes: () => false,
    unconfirmed: () => undefined,
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

test('what is refused as made again, and then confirmed to its client, is this connection its own', () => {
  const moved: unknown[] = [];
  const told: string[] = [];
  const own = { connection: { isClosed: false, intercept: null }, send: () => {}, close: () => {} };
  const connection = own.connection as unknown as OwnConnection['connection'];
  const subscriber = new Subscriber({ local: { protocol: 2 } } as Session, 20_000, {
    upstream: () => undefined,
    open: () => own as unknown as OwnConnection,
    isElsewhere: () => false,
    stuck: () => {},
    moved: (what) => moved.push(what),
    count: () => 1,
    takes: () => false,
    unconfirmed: () => undefined,
  });
  const hears = (text: string): void => {
    const bytes = Buffer.from(text);
    connection.intercept?.(bytes, 0, bytes.length);
  };
  const sink = { deliver: (_: unknown, bytes: Uint8Array) => void told.push(Buffer.from(bytes).toString()) };
  subscriber.restore('y');
  const request = Object.assign(takeRequest(), { sink, startedAt: performance.now() });
  subscriber.send(commandByName('ssubscribe')!, ['y'], request);
  hears('-CLUSTERDOWN The cluster is down\r\n');
  hears(array('ssubscribe', 'y', ':1'));
  subscriber.close();
  assert.deepEqual(told, [array('ssubscribe', 'y', ':1')]);
  assert.deepEqual(moved, []);
  assert.ok(subscriber.hasShardChannel('y'));
});
