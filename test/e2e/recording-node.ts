/**
 * A server that speaks enough of Redis' protocol to stand behind an Envoy, and remembers every command that reached it.
 */
import { createServer, type Server, type Socket } from 'node:net';

import type { Ending } from './sidecar.ts';

export interface ReceivedCommand {
  /** In lower case. */
  readonly name: string;
  readonly args: readonly string[];
  /** Which connection, counted from 0. */
  readonly connection: number;
}

export interface RecordingNode {
  readonly port: number;
  readonly received: readonly ReceivedCommand[];
  /** What clients sent, without what Envoy sends of itself (PING of health checks, AUTH, READONLY, CLUSTER SLOTS) and what
   *  the control plane asks (INFO). */
  ofClients(): readonly ReceivedCommand[];
  /** Forgets what was received so far. */
  forget(): void;
}

/** undefined: the built-in answer. */
export type Answer = (command: ReceivedCommand) => string | undefined;

const NOT_OF_CLIENTS = new Set(['ping', 'auth', 'readonly', 'cluster', 'hello', 'info']);

/** Listens on a free port of 127.0.0.1 until the test ends. */
export async function startRecordingNode(
  t: Ending,
  answer: Answer = () => undefined,
): Promise<RecordingNode> {
  const received: ReceivedCommand[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    const connection = connections++;
    let buffered = Buffer.alloc(0);
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      buffered = Buffer.concat([buffered, bytes]);
      for (;;) {
        const parsed = parseCommand(buffered);
        if (parsed === undefined) return;
        buffered = buffered.subarray(parsed.length);
        const [name = '', ...args] = parsed.words;
        const command = { name: name.toLowerCase(), args, connection };
        received.push(command);
        socket.write(answer(command) ?? builtIn(command, portOf(server)));
      }
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: portOf(server),
    received,
    ofClients: () => received.filter(({ name }) => !NOT_OF_CLIENTS.has(name)),
    forget: () => {
      received.length = 0;
    },
  };
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** One array of bulk strings; undefined: not complete yet. */
function parseCommand(
  bytes: Buffer,
): { readonly words: readonly string[]; readonly length: number } | undefined {
  let at = 0;
  const line = (): string | undefined => {
    const end = bytes.indexOf('\r\n', at);
    if (end < 0) return undefined;
    const text = bytes.toString('latin1', at, end);
    at = end + 2;
    return text;
  };
  const head = line();
  if (head === undefined) return undefined;
  const words: string[] = [];
  for (let count = Number(head.slice(1)); count > 0; count--) {
    const length = line();
    if (length === undefined) return undefined;
    const size = Number(length.slice(1));
    if (bytes.length < at + size + 2) return undefined;
    words.push(bytes.toString('latin1', at, at + size));
    at += size + 2;
  }
  return { words, length: at };
}

/** A cluster of this node alone, to whom everything is fine and nothing is there. */
function builtIn({ name, args }: ReceivedCommand, port: number): string {
  switch (name) {
    case 'ping':
      return '+PONG\r\n';
    case 'get':
      return '$-1\r\n';
    case 'cluster':
      return args[0]?.toLowerCase() === 'slots'
        ? `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:${port}\r\n`
        : '-ERR unknown\r\n';
    case 'exec':
      return '*0\r\n';
    default:
      return '+OK\r\n';
  }
}
