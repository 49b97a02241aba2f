/**
 * A client of raw HTTP/2 that sends one request and looks at nothing but whether bytes come: cheap enough for thousands.
 */
import { connect, type ClientHttp2Session, type ClientHttp2Stream, constants } from 'node:http2';

import { encode } from '../../src/envoy/codec.ts';
import { LISTENER_TYPE } from '../../src/envoy/resource.ts';

const PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';

const REQUEST = encode('envoy.service.discovery.v3.DeltaDiscoveryRequest', {
  node: { id: 'sidecar-1' },
  type_url: LISTENER_TYPE,
});

/** How a client goes: as it should, without its stream's end, or without a word. */
export type Parting = 'end' | 'reset' | 'destroy';

interface RawClient {
  readonly session: ClientHttp2Session;
  readonly stream: ClientHttp2Stream;
}

/** Connects and asks for listeners. */
export function askForListeners(address: string): RawClient {
  const session = connect(`http://${address}`);
  session.on('error', () => {});
  const stream = session.request({
    ':method': 'POST',
    ':path': PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  const head = Buffer.alloc(5);
  head.writeUInt32BE(REQUEST.length, 1);
  stream.write(Buffer.concat([head, REQUEST]));
  return { session, stream };
}

/** Connects, asks for listeners, waits for the first bytes, and goes. */
export async function comeAndGo(address: string, parting: Parting): Promise<void> {
  const { session, stream } = askForListeners(address);
  const closed = new Promise((resolve) => session.once('close', resolve));
  const answered = new Promise<void>((resolve, reject) => {
    stream.once('data', () => resolve());
    stream.once('close', () => reject(new Error('the stream ended before anything came')));
  });
  await answered;
  part({ session, stream }, parting);
  await closed;
}

function part({ session, stream }: RawClient, parting: Parting): void {
  if (parting === 'destroy') session.destroy();
  else if (parting === 'reset') stream.close(constants.NGHTTP2_CANCEL, () => session.close());
  else {
    stream.resume();
    stream.once('close', () => session.close());
    stream.end();
  }
}
