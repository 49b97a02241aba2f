/**
 * A server that speaks the state of the world alone, before one that speaks both.
 */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

import { Client, credentials, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';

import { SERVICES } from '../../src/xds/service.ts';

/** `address` and what is returned: `HOST:PORT`. */
export async function worldOnly(t: TestContext, address: string): Promise<string> {
  const [{ definition, name } = assert.fail('no service')] = SERVICES;
  const { StreamAggregatedResources: method } = definition;
  assert.ok(method);
  const server = new Server();
  const same = (bytes: Buffer): Buffer => bytes;
  server.addService(
    { StreamAggregatedResources: method },
    {
      StreamAggregatedResources: (call: ServerDuplexStream<Buffer, Buffer>) => {
        // Of its own: it waits for no earlier one's next try.
        const back = new Client(address, credentials.createInsecure(), {
          'grpc.use_local_subchannel_pool': 1,
        });
        const onward = back.makeBidiStreamRequest(`/${name}/StreamAggregatedResources`, same, same);
        call.on('data', (bytes: Buffer) => onward.write(bytes));
        call.on('end', () => onward.end());
        call.on('cancelled', () => onward.cancel());
        onward.on('data', (bytes: Buffer) => call.write(bytes));
        onward.on('error', (error) => call.emit('error', error));
        onward.on('status', () => back.close());
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  t.after(() => server.forceShutdown());
  return `127.0.0.1:${port}`;
}
