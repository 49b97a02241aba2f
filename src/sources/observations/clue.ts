/**
 * What is known of why no connection to a server can be made, beyond what the last try ended with: a server that speaks TLS
 * just hangs up on who does not, and one that does not may let a handshake wait. Until a server has answered once it is
 * therefore asked whether it speaks the other protocol; nothing that is secret is said to it.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

import { SAYS_NOTHING, SPEAKS_NO_TLS, SPEAKS_TLS, isExplained, isVague } from './connection-problem.ts';
import type { QuestionTls } from '../../world/observation.ts';

/** Longer than that it does not seem so. */
const LIMIT_MS = 900;
const AGAIN_MS = 5_000;

interface Place {
  readonly host: string;
  readonly port: number;
  readonly tls: QuestionTls | undefined;
}

export class Clue {
  readonly #place: Place;
  #found: string | undefined;
  #lookedAt = -Infinity;
  /** It speaks what we do. */
  #hasAnswered = false;

  constructor(place: Place) {
    this.#place = place;
  }

  /** What there is to say where a connection ended with `problem`. */
  about(problem: string): string {
    return this.#isVague(problem) ? (this.#found ?? problem) : problem;
  }

  /** Call it at each problem. Resolves when `about` knows more, if there is more to know. */
  async look(problem: string): Promise<void> {
    if (!this.#isVague(problem)) {
      this.#found = isExplained(problem) ? problem : undefined;
      return;
    }
    if (this.#hasAnswered || performance.now() - this.#lookedAt < AGAIN_MS) return;
    this.#lookedAt = performance.now();
    const asked = this.#place.tls === undefined ? speaksTls(this.#place) : askedInTheClear(this.#place);
    // Fails where the address can't be any.
    const found = await asked.catch(() => undefined);
    if (!this.#hasAnswered) this.#found = found ?? this.#found;
  }

  /** It has. */
  answered(): void {
    this.#hasAnswered = true;
    this.#found = undefined;
  }

  #isVague(problem: string): boolean {
    return isVague(problem, this.#place.tls !== undefined);
  }
}

/** Whoever it is: that it shakes hands, or says in an alert that it will not. */
async function speaksTls({ host, port }: Place): Promise<string | undefined> {
  const socket = connectTls({ host, port, rejectUnauthorized: false });
  return await told(socket, (tell) => {
    socket.once('secureConnect', () => tell(SPEAKS_TLS));
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      tell(code?.includes('_ALERT_') === true ? SPEAKS_TLS : undefined),
    );
  });
}

/** That it answers, also with an error, as one that wants a password does; or nothing, as it did not to a handshake. */
async function askedInTheClear({ host, port }: Place): Promise<string | undefined> {
  const socket = connect({ host, port }, () => socket.write('PING\r\n'));
  const listen = (tell: Tell): void => {
    socket.once('data', (bytes: Buffer) =>
      tell(/^[+-]/.test(bytes.toString('latin1', 0, 1)) ? SPEAKS_NO_TLS : undefined),
    );
  };
  return await told(socket, listen, () => (socket.connecting ? undefined : SAYS_NOTHING));
}

type Tell = (what: string | undefined) => void;

/** `atLimit`: where nothing was told by then. */
async function told(
  socket: Socket,
  listen: (tell: Tell) => void,
  atLimit: () => string | undefined = () => undefined,
): Promise<string | undefined> {
  // Who ends meanwhile need not wait for it.
  socket.unref();
  const what = await new Promise<string | undefined>((resolve) => {
    listen(resolve);
    socket.on('error', () => {});
    socket.once('close', () => resolve(undefined));
    setTimeout(() => resolve(atLimit()), LIMIT_MS).unref();
  });
  socket.destroy();
  return what;
}
