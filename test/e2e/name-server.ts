/**
 * A DNS server that knows no names.
 *
 * Where nobody listens at all, an Envoy that replaces a Redis Cluster with names as seeds may end: what the old one asks at
 * that moment completes the question of the new one, which frees the old one in the midst of its own.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const HEADER_BYTES = 12;
const IS_ANSWER = 0x80;
const NO_SUCH_NAME = 3;

/** Stopped when the test ends. Resolves to its UDP port of 127.0.0.1. */
export async function startNameServer(t: { after(end: () => void): void }): Promise<number> {
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.on('message', (question, { address, port }) => {
    if (question.length < HEADER_BYTES) return;
    const answer = Buffer.from(question);
    answer[2] = answer[2]! | IS_ANSWER;
    answer[3] = NO_SUCH_NAME;
    socket.send(answer, port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket.address().port;
}
