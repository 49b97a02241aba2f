/** A value read from text, or a clause that says what is wrong with it and reads on after the field's path. */
export type Parsed<T> =
  | { readonly value: T; readonly problem?: never }
  | { readonly value?: never; readonly problem: string };
