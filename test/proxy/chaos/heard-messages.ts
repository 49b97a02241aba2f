/**
 * What one connection hears of its channels: of each publisher the messages come in order, none twice.
 */
import type { Scene } from './client-connection.ts';

export class HeardMessages {
  readonly #scene: Scene;
  readonly #name: string;
  /** By channel, pattern and publisher, the last message's number. */
  readonly #last = new Map<string, number>();

  constructor(scene: Scene, name: string) {
    [this.#scene, this.#name] = [scene, name];
  }

  /** `text`: its number, and whose it is; `through`: what the pattern is by which it came. */
  hear(channel: string, text: string, through: string): void {
    const [token = '', publisher = ''] = text.split(' ');
    // Nobody knows when a node that hung passes it on.
    if (this.#scene.unsure.has(token)) return;
    const key = `${channel} ${through} ${publisher}`;
    const before = this.#last.get(key) ?? 0;
    this.#last.set(key, Number(token));
    if (before < Number(token)) return;
    const about = [this.#name, token, String(before)];
    this.#scene.ledger.violation(`${this.#name}: ${text} of ${channel} comes behind ${before}`, about);
  }
}
