/**
 * Somebody who asks over one connection at a time, until told to stop.
 */
import { ClientConnection, type Scene } from './client-connection.ts';
import type { Random } from './random.ts';

export abstract class Asker {
  protected readonly scene: Scene;
  protected readonly random: Random;
  protected connection: ClientConnection;
  protected isStopping = false;
  readonly name: string;
  #connections = 1;
  #slowestMs = 0;

  constructor(scene: Scene, random: Random, name: string) {
    [this.scene, this.random, this.name] = [scene, random, name];
    this.connection = new ClientConnection(scene, random.fork(), `${name}#1`);
  }

  abstract run(): Promise<void>;

  get slowestMs(): number {
    return Math.max(this.#slowestMs, this.connection.slowestMs);
  }

  get unanswered(): readonly string[] {
    return this.connection.unanswered;
  }

  /** Keys that it has kept as they no longer are. */
  get old(): readonly string[] {
    return this.connection.isOver ? [] : this.connection.kept.old;
  }

  stop(): void {
    this.isStopping = true;
  }

  leave(): void {
    this.connection.leave();
  }

  protected connectAgain(): void {
    this.#slowestMs = this.slowestMs;
    this.#connections += 1;
    const name = `${this.name}#${this.#connections}`;
    this.connection = new ClientConnection(this.scene, this.random.fork(), name);
  }
}
