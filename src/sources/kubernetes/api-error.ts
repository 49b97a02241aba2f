/**
 * What the API server said instead of an answer, or why there was none (status 0).
 */
export class ApiError extends Error {
  readonly status: number;
  /** `Forbidden`, `NotFound`, `Expired`, … */
  readonly reason: string;
  /** The server asks to wait that long. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }

  /** From a `Status` object, as a body or in an event of a watch. */
  static of(status: number, body: unknown, retryAfter?: string): ApiError {
    const { reason, message } = (body ?? {}) as { readonly reason?: unknown; readonly message?: unknown };
    const seconds = Number(retryAfter);
    return new ApiError(
      status,
      typeof reason === 'string' ? reason : String(status),
      typeof message === 'string' ? message : `the API server answered with status ${status}`,
      retryAfter !== undefined && Number.isFinite(seconds) ? seconds * 1_000 : undefined,
    );
  }
}

/** Any failure in one line; `redact`: of the whole text, since a line may end within a password. */
export function reasonOf(error: unknown, redact: (text: string) => string = (text) => text): string {
  if (!(error instanceof Error)) return redact(String(error));
  // Node gives several attempts to connect as one error without words.
  const [first] = error instanceof AggregateError ? (error.errors as readonly unknown[]) : [];
  if (first instanceof Error) return reasonOf(first, redact);
  return redact(error.message).split('\n')[0] ?? error.name;
}
