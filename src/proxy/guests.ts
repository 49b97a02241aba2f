/**
 * Counts the clients of all listeners, and of other workers as far as they are known.
 */
/** From where on, and how far apart: several workers give different ones. */
export interface ClientIds {
  readonly first: number;
  readonly step: number;
}

export class Guests {
  readonly #max: number;
  readonly #idStep: number;
  #nextId: number;
  #count = 0;
  /** Clients of other workers. */
  others = 0;
  /** Told of each change. */
  onChange: (count: number) => void = () => {};

  constructor(max: number, { first, step }: ClientIds = { first: 1, step: 1 }) {
    this.#max = max;
    this.#nextId = first;
    this.#idStep = step;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count + this.others >= this.#max;
  }

  newId(): number {
    const id = this.#nextId;
    this.#nextId += this.#idStep;
    return id;
  }

  enter(): void {
    this.#count += 1;
    this.onChange(this.#count);
  }

  leave(): void {
    this.#count -= 1;
    this.onChange(this.#count);
  }
}
