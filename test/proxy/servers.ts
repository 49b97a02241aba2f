/**
 * Servers that say what a test wants them to say, and a proxy in front of one.
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

import { pino } from 'pino';

import type { Fault } from '../../src/api/objects.ts';
import { planSingleUpstream, type SingleUpstream } from '../../src/plan/single-upstream.ts';
import type { RoutingPlan, Upstream } from '../../src/plan/routing-plan.ts';
import { Proxy, type ProxyOptions } from '../../src/proxy/proxy.ts';
import { COMPLETE, REQUEST_LIMITS, RequestFrame } from '../../src/redis/request-frame.ts';

/** What Redis says while a script takes longer than its `busy-reply-threshold`. */
export const BUSY =
  '-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n';

export interface Server {
  readonly port: number;
  /** Commands in order, their words with spaces between. */
  readonly asked: readonly string[];
  readonly sockets: ReadonlySet<Socket>;
}

/** `answer`: what is sent at once; undefined: nothing. */
export async function serverThat(
  t: TestContext,
  answer: (words: string, socket: Socket) => string | undefined,
  place: { readonly host: string; readonly port: number } = { host: '127.0.0.1', port: 0 },
): Promise<Server> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (;;) {
        const frame = new RequestFrame();
        frame.begin(0);
        if (bytes.length === 0 || frame.parse(bytes, bytes.length, REQUEST_LIMITS) !== COMPLETE) return;
        const words = Array.from({ length: frame.count }, (_, index) =>
          bytes.toString('latin1', frame.offsets[2 * index], frame.offsets[2 * index + 1]),
        ).join(' ');
        bytes = bytes.subarray(frame.at);
        asked.push(words);
        const reply = answer(words, socket);
        if (reply !== undefined) socket.write(reply, 'latin1');
      }
    });
  });
  const port = await listening(server, place);
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port, asked, sockets };
}

async function listening(
  server: ReturnType<typeof createServer>,
  place: { readonly host: string; readonly port: number },
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(place, () => resolve());
  });
  return (server.address() as AddressInfo).port;
}

/** Longer than a test waits for anything. */
const PATIENCE_MS = 120_000;

/**
 * One upstream on loopback, of one plain server; a listener on any port; no passwords. `options`: what is otherwise. No
 * connection and no reply is late, however long a busy machine takes.
 */
export function planTo(port: number, options: Partial<SingleUpstream> = {}): RoutingPlan {
  const plan = planSingleUpstream({
    upstream: { address: '127.0.0.1', port },
    mode: 'proxy',
    readPolicy: 'MASTER',
    listen: { address: '127.0.0.1', port: 0 },
    clientPassword: undefined,
    upstreamPassword: undefined,
    ...options,
  });
  const patient = (upstream: Upstream): Upstream =>
    upstream.mode === 'unavailable' ? upstream : { ...upstream, connectTimeoutMs: PATIENCE_MS };
  const upstreams = Array.from(plan.upstreams, ([id, upstream]) => [id, patient(upstream)] as const);
  return withOpTimeout({ ...plan, upstreams: new Map(upstreams) }, PATIENCE_MS);
}

export function withOpTimeout(plan: RoutingPlan, opTimeoutMs: number): RoutingPlan {
  const listeners = plan.listeners.map(({ bind, listener }) => ({
    bind,
    listener: { ...listener, opTimeoutMs },
  }));
  return { ...plan, listeners };
}

/** Keys that begin so go where all go, without that. */
export function withPrefixRemoved(plan: RoutingPlan, prefix: string): RoutingPlan {
  const listeners = plan.listeners.map(({ bind, listener }) => {
    const prefixes = [{ ...listener.routes.catchAll!, prefix, removePrefix: true }];
    return { bind, listener: { ...listener, routes: { ...listener.routes, prefixes } } };
  });
  return { ...plan, listeners };
}

export function withFault(plan: RoutingPlan, fault: Fault): RoutingPlan {
  const listeners = plan.listeners.map(({ bind, listener }) => ({
    bind,
    listener: { ...listener, faults: [fault] },
  }));
  return { ...plan, listeners };
}

/** It waits long for replies, but not for nodes that can't be asked, unless `options` say otherwise. */
export async function proxyFor(
  t: TestContext,
  plan: RoutingPlan,
  options: Partial<ProxyOptions> = {},
): Promise<{ readonly proxy: Proxy; readonly port: number; readonly lines: readonly string[] }> {
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line) => void lines.push(line) });
  const proxy = await Proxy.create({
    hedgeAfterMs: PATIENCE_MS,
    failoverWaitMs: 1_000,
    maxClients: 100,
    drainMs: 2_000,
    log,
    ...options,
  });
  t.after(() => proxy.close());
  await proxy.update(plan);
  const [address = ''] = [...proxy.addresses().values()];
  return { proxy, port: Number(address.split(':').pop()), lines };
}

export interface Client {
  readonly socket: Socket;
  /** What came so far, each character a byte. */
  got(): string;
  readonly hasEnded: boolean;
}

export function clientOf(t: TestContext, port: number, allowHalfOpen = false): Client {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen });
  let text = '';
  let hasEnded = false;
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => {});
  socket.on('end', () => (hasEnded = true));
  t.after(() => socket.destroy());
  return {
    socket,
    got: () => text,
    get hasEnded() {
      return hasEnded;
    },
  };
}

/** A confirmation or a message. */
export function array(kind: string, channel: string, last: string): string {
  return `*3\r\n$${kind.length}\r\n${kind}\r\n$${channel.length}\r\n${channel}\r\n${last}\r\n`;
}
