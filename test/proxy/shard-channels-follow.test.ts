import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { array, clientOf, proxyFor, serverThat, type Server } from './servers.ts';
import { planToServers, resolveTo } from './several-servers.ts';

const [ONE, TWO, THREE] = ['127.0.0.31', '127.0.0.32', '127.0.0.33'];
const CHANNELS = Array.from({ length: 20 }, (_, index) => `channel:${index}`);

function answer(words: string): string {
  const [name = '', channel = ''] = words.split(' ');
  if (name.toLowerCase() === 'ssubscribe') return array('ssubscribe', channel, ':1');
  return name === 'SPUBLISH' ? ':0\r\n' : '+PONG\r\n';
}

/** A proxy in front of servers of a name, first the first two, of which somebody has subscribed to all channels. */
async function setUp(t: TestContext) {
  const one = await serverThat(t, answer, { host: ONE, port: 0 });
  const { port } = one;
  const two = await serverThat(t, answer, { host: TWO, port });
  const names = resolveTo(t, ONE, TWO);
  const { port: through, proxy } = await proxyFor(t, planToServers({ kind: 'dns', name: 'servers', port }));
  await eventually('its servers', () => proxy.notReady() === undefined || undefined);
  const subscriber = clientOf(t, through);
  subscriber.socket.write(CHANNELS.map((channel) => `SSUBSCRIBE ${channel}\r\n`).join(''));
  await eventually('the confirmations', () => subscriber.got().split('*3').length === 21 || undefined);
  /** One goes, another comes. */
  const change = async (): Promise<void> => {
    names.addresses = [TWO, THREE];
    await eventually(
      'the other servers',
      () => proxy.status()[0]?.nodes.some(({ address }) => address.startsWith(THREE)) || undefined,
    );
  };
  const publisher = clientOf(t, through);
  const publish = (): void => {
    publisher.socket.write(CHANNELS.map((channel) => `SPUBLISH ${channel} hi\r\n`).join(''));
  };
  return { port, two, change, publish, published: () => publisher.got() };
}

function of({ asked }: Server, name: string): readonly string[] {
  return asked
    .filter((words) => words.toLowerCase().startsWith(name))
    .map((words) => words.split(' ')[1] ?? '');
}

test('shard channels of plain servers follow to where they are published, as servers come and go', async (t) => {
  const { port, two, change, publish, published } = await setUp(t);
  const three = await serverThat(t, answer, { host: THREE, port });
  await change();
  publish();
  await eventually('the replies', () => published() === ':0\r\n'.repeat(20) || undefined);
  const isHeard = (channel: string): boolean =>
    [two, three].some(
      (server) => of(server, 'spublish').includes(channel) && of(server, 'ssubscribe').includes(channel),
    );
  await eventually('the subscriptions', () => CHANNELS.every(isHeard) || undefined);
});

test('those of servers that are there do not wait for one that is not', async (t) => {
  const { two, change, publish, published } = await setUp(t);
  await change();
  publish();
  await eventually('the replies', () => published().split('\r\n').length === 21 || undefined);
  await eventually('the subscriptions', () => {
    const heard = of(two, 'ssubscribe');
    return of(two, 'spublish').every((channel) => heard.includes(channel)) || undefined;
  });
});
