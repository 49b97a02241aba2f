/** A number from 0 to one less than `below`. */
export type Choose = (below: number) => number;

/** The same numbers for the same seed. */
export function randomOf(seed: number): Choose {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4_294_967_296) * below);
  };
}
