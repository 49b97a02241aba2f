import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { connect, createServer, Socket, type AddressInfo } from 'node:net';
import { syncBuiltinESMExports } from 'node:module';
import { after, before, describe, it, test } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { adopt, learnToShare, readOn } from '../../../src/proxy/wire/accept.ts';

/** A connection of which the accepted end was adopted. */
class Pair {
  seen = '';
  isReading = true;
  hasEnded = false;
  hasClosed = false;
  readonly client: Socket;
  readonly adopted: Socket;

  private constructor(client: Socket, accepted: Socket) {
    this.client = client;
    this.adopted = accepted;
    accepted.on('error', () => {});
    accepted.on('end', () => (this.hasEnded = true));
    accepted.on('close', () => (this.hasClosed = true));
  }

  static async open(): Promise<Pair> {
    const server = createServer({ pauseOnConnect: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
    client.on('error', () => {});
    const [accepted] = (await once(server, 'connection')) as [Socket];
    server.close();
    const pair = new Pair(client, accepted);
    adopt(accepted, {
      read: (bytes, length) => {
        pair.seen += bytes.toString('latin1', 0, length);
        return pair.isReading;
      },
    });
    return pair;
  }

  close(): void {
    this.client.destroy();
    this.adopted.destroy();
  }
}

// In this order: what is learnt stays so.
for (const canShare of [false, true]) {
  describe(`an adopted socket ${canShare ? 'with the shared buffer' : "with 'data' events"}`, () => {
    let pair: Pair;
    before(async () => {
      if (canShare) assert.equal(await learnToShare(), true);
      pair = await Pair.open();
    });
    after(() => pair.close());

    it('hands over what comes', async () => {
      pair.client.write('first');
      await eventually('first', () => pair.seen === 'first' || undefined);
    });

    it('reads no more once its reader said so, and goes on where it stopped', async () => {
      pair.isReading = false;
      pair.client.write(' second');
      await eventually('second', () => pair.seen === 'first second' || undefined);
      pair.client.write(' third');
      // What is not read stays in the kernel: only a turn later it could have come.
      await eventually('written', () => pair.client.writableLength === 0 || undefined);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(pair.seen, 'first second');
      pair.isReading = true;
      readOn(pair.adopted);
      await eventually('third', () => pair.seen === 'first second third' || undefined);
    });

    it('tells its end after all that came', async () => {
      pair.client.end(' last');
      await eventually('end', () => pair.hasEnded || undefined);
      assert.equal(pair.seen, 'first second third last');
    });
  });

  it(`an adopted socket closes when it is reset, ${canShare ? 'shared' : 'not shared'}`, async () => {
    const pair = await Pair.open();
    pair.client.resetAndDestroy();
    await eventually('close', () => pair.hasClosed || undefined);
    pair.close();
  });
}

test('where no connection can be made it is known at once that buffers are not shared, and nothing goes on', async (t) => {
  t.mock.method(net, 'connect', () => new Socket().destroy(new Error('no socket is left')));
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  assert.equal(await learnToShare(), false);
  assert.equal(timers(), before);
});
