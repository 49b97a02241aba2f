/**
 * A client that writes without ever waiting for a reply, on a socket of its own, and connects again when it is closed.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import type { ClientLoad } from '../test/e2e/client-loads.ts';

const TICK_MS = 1;
const COMMANDS_PER_TICK = 5;
const KEYS = 1_000;
const LAST_ANSWERS_MS = 5_000;
/** RESP2: each reply here ends with one line; a value of GET is `$5`, then the value. */
const VALUE = 'value';

/** `sendAgain`: what is not answered when a connection closes is sent again on the next one, before anything new. */
export function startRawPipeline(port: number, sendAgain: boolean): ClientLoad {
  const errors = new Map<string, number>();
  const count = (what: string): void => void errors.set(what, (errors.get(what) ?? 0) + 1);
  let [answered, sent] = [0, 0];
  /** In the order in which replies come. */
  let waiting: string[] = [];
  let isStopped = false;
  let socket = open();

  function open(): Socket {
    const opened = connect(port, '127.0.0.1');
    opened.setNoDelay(true);
    opened.on('error', () => {});
    let rest = '';
    opened.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString('latin1')).split('\r\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        // The head of a value; the reply is complete with the value itself.
        if (line.startsWith('$') && line !== '$-1') continue;
        waiting.shift();
        if (line.startsWith('-')) count(line.slice(1));
        else answered += 1;
      }
    });
    opened.on('close', () => {
      if (isStopped) return;
      if (!sendAgain) for (const _ of waiting.splice(0)) count('closed without a reply');
      socket = open();
      socket.write(waiting.join(''));
    });
    return opened;
  }

  const timer = setInterval(() => {
    if (socket.destroyed) return;
    const commands = Array.from({ length: COMMANDS_PER_TICK }, () => {
      sent += 1;
      const key = `raw:${sent % KEYS}`;
      return sent % 4 === 0
        ? `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$5\r\n${VALUE}\r\n`
        : `*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`;
    });
    waiting.push(...commands);
    socket.write(commands.join(''));
  }, TICK_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      const end = Date.now() + LAST_ANSWERS_MS;
      while (waiting.length > 0 && Date.now() < end) await sleep(10);
      if (waiting.length > 0) errors.set('no answer', waiting.length);
      isStopped = true;
      socket.destroy();
      return { answered, errors };
    },
  };
}
