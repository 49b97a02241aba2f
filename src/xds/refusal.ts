/**
 * Why the server ends a stream that a client has opened.
 */
export interface Refusal {
  readonly kind: 'malformed' | 'forbidden' | 'too much' | 'full';
  /** For the client and the log; holds nothing that the client did not say. */
  readonly problem: string;
}
