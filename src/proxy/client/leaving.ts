/**
 * How a client's connection ends: once what was asked is answered; at once where that may never be. Who then takes nothing of
 * what is left, or does not end it either, is put out.
 */
import type { Socket } from 'node:net';

import type { SocketWriter } from '../wire/socket-writer.ts';
import { limitHalfOpen } from './half-open.ts';

/** What is left to say at the end is taken by then, or not at all. */
const LAST_REPLIES_MS = 500;

/** A connection of a client's own, or a reply that is late for it. */
export interface Owned {
  close(): void;
  /** The same, but for a reply that is on its way. */
  letGo?(): void;
  /** Its reply may never come. */
  readonly mayBlock?: boolean;
  /** Nothing else of its client's is under way. */
  readonly isWaiting?: boolean;
}

interface Leaver {
  readonly isClosed: boolean;
  /** Of what it has sent something is not begun. */
  readonly isUnfinished: boolean;
  /** Once all that is begun is answered. */
  end(): void;
  destroy(): void;
}

export class Leaving {
  readonly #client: Leaver;
  readonly #socket: Socket;
  readonly #writer: SocketWriter;
  /** It will send nothing more; maybe it is gone altogether, which is the same to see. */
  hasHungUp = false;
  #isLimited = false;
  /** Closed with it. */
  #owned: Set<Owned> | null = null;
  /** Told once none of those may block. */
  #whenLetGo: (() => void)[] = [];

  constructor(client: Leaver, socket: Socket, writer: SocketWriter) {
    this.#client = client;
    this.#socket = socket;
    this.#writer = writer;
    // What was asked before is answered: a client may end its direction first.
    socket.allowHalfOpen = true;
    socket.on('end', () => {
      this.hasHungUp = true;
      this.finish();
      if (!client.isClosed) this.#limit();
    });
  }

  own(connection: Owned): void {
    (this.#owned ??= new Set()).add(connection);
  }

  disown(connection: Owned): void {
    this.#owned?.delete(connection);
    if (!this.mayBlock) this.#tellLetGo();
  }

  /** Until a command that waits by its nature is answered. */
  get isWaiting(): boolean {
    for (const { isWaiting } of this.#owned ?? []) if (isWaiting === true) return true;
    return false;
  }

  get mayBlock(): boolean {
    for (const { mayBlock } of this.#owned ?? []) if (mayBlock === true) return true;
    return false;
  }

  /** Ends with the replies to what it has asked. */
  finish(): void {
    // What may wait for ever, or take an element out of a list, would do so for nobody.
    if (this.mayBlock) void this.letGo();
    else if (!this.#client.isUnfinished) this.#client.end();
  }

  /** Who waits gets what it has, or is put out; resolves then. */
  async letGo(): Promise<void> {
    for (const each of this.#owned ?? []) each.letGo?.();
    if (!this.mayBlock) return;
    await new Promise<void>((resolve) => this.#whenLetGo.push(resolve));
  }

  /** All is answered, and given to the socket. */
  endSocket(): void {
    this.#socket.end();
    this.#limit();
  }

  /** Resolves when the client has taken what is given to the socket and let go, or has been put out. */
  async endSocketSoon(): Promise<void> {
    this.#socket.end();
    const limit = setTimeout(() => this.#socket.destroy(), LAST_REPLIES_MS);
    await new Promise((resolve) => this.#socket.once('close', resolve));
    clearTimeout(limit);
  }

  closeOwned(): void {
    for (const connection of this.#owned ?? []) connection.close();
    this.#tellLetGo();
  }

  #tellLetGo(): void {
    for (const tell of this.#whenLetGo.splice(0)) tell();
  }

  #limit(): void {
    if (this.#isLimited) return;
    this.#isLimited = true;
    limitHalfOpen(this.#socket, this.#writer, () => this.#client.destroy());
  }
}
