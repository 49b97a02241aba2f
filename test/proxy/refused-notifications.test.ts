/** Keyspace notifications that a node refuses to tell. */
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { EXPIRED, message, confirmation, setUp, got } from './keyspace-scene.ts';
import { BUSY, array, clientOf } from './servers.ts';

test('a primary that refuses what its client has already is asked again', async (t) => {
  let isRefusing = false;
  let refusals = 0;
  const { client, asked, tell, subscribers } = await setUp(t, (words, node) => {
    if (!isRefusing || node !== 1 || !words.startsWith('subscribe')) return confirmation(words);
    refusals += 1;
    return '-NOPERM not yet\r\n';
  });
  client.socket.write(`SUBSCRIBE ${EXPIRED}\r\n`);
  const confirmed = array('subscribe', EXPIRED, ':1');
  await got(client, confirmed);
  isRefusing = true;
  tell(1, 'this is not RESP\r\n');
  await eventually('it refusing', () => refusals > 0, { seen: () => JSON.stringify(asked()) });
  isRefusing = false;
  const before = asked()[1]!.length;
  await eventually('it being asked again', () => asked()[1]!.length > before);
  await eventually('the connections being two', () => subscribers() === 2 || undefined);
  tell(1, message(EXPIRED, 'k'));
  await got(client, confirmed + message(EXPIRED, 'k'));
});

test('a primary that is passed by when the others confirm, and refuses then, is asked again', async (t) => {
  let refuse: (() => void) | undefined;
  let isLoading = false;
  const { client, asked, port } = await setUp(t, (words, node, socket) => {
    if (isLoading && node === 1 && !words.includes('subscribe'))
      return '-LOADING Redis is loading the dataset in memory\r\n';
    if (node !== 1 || refuse !== undefined) return confirmation(words);
    if (words.startsWith('subscribe')) refuse = () => void socket.write('-NOPERM not yet\r\n');
    return undefined;
  });
  client.socket.write(`SUBSCRIBE ${EXPIRED}\r\n`);
  await eventually('being asked', () => refuse !== undefined);
  isLoading = true;
  const other = clientOf(t, port);
  other.socket.write('GET a\r\n');
  await got(client, array('subscribe', EXPIRED, ':1'));
  isLoading = false;
  refuse!();
  const subscribed = (): number => asked()[1]!.filter((words) => words.startsWith('subscribe')).length;
  await eventually('it being asked again', () => subscribed() > 1);
});

test('a primary that is found busy when it is asked is asked again over another connection', async (t) => {
  let refusals = 0;
  const { client, tell, subscribers } = await setUp(t, (words, node) => {
    if (node !== 1 || !words.startsWith('subscribe') || refusals > 1) return confirmation(words);
    refusals += 1;
    return BUSY;
  });
  client.socket.write(`SUBSCRIBE ${EXPIRED}\r\n`);
  const confirmed = array('subscribe', EXPIRED, ':1');
  await got(client, confirmed);
  await eventually('the refusals', () => (refusals === 2 && subscribers() === 2) || undefined);
  await eventually('a message', () => {
    tell(1, message(EXPIRED, 'k'));
    return client.got().startsWith(confirmed + message(EXPIRED, 'k')) || undefined;
  });
});
