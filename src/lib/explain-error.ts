/** Whatever was thrown as text for a log: with its stack where it has one. */
export const explainError = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
