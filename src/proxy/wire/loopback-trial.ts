/**
 * A connection of our own over loopback: on it is tried, once at start, what Node does not document.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Nothing but a Node that can't takes so long, not even on a machine with fifteen times the work that it can do. */
const LIMIT_MS = 10_000;

/** What `works` finds out, which gets both ends, the accepted one paused; false where it fails, or takes too long. */
export async function triedOverLoopback(
  works: (client: Socket, accepted: Socket) => Promise<boolean>,
): Promise<boolean> {
  const server = createServer({ pauseOnConnect: true });
  const sockets: Socket[] = [];
  let limit: NodeJS.Timeout | undefined;
  try {
    // Exclusive: other workers try theirs at the same time.
    server.listen({ port: 0, host: '127.0.0.1', exclusive: true });
    await once(server, 'listening');
    const client = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
    sockets.push(client);
    server.on('connection', (accepted) => {
      accepted.on('error', ignored);
      sockets.push(accepted);
    });
    const both = Promise.all([once(client, 'connect'), once(server, 'connection')]);
    client.on('error', ignored);
    const isFine = both.then(async () => await works(client, sockets[1]!));
    const isLate = new Promise<false>((resolve) => {
      limit = setTimeout(() => resolve(false), LIMIT_MS);
    });
    return await Promise.race([isFine, isLate]);
  } catch {
    return false;
  } finally {
    clearTimeout(limit);
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

/** What goes wrong shows in what was tried. */
function ignored(): void {}
