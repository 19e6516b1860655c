import { CodedError } from '../lib/coded-error.ts';

/** Work that was stopped because the user asked for it. */
export class Interrupted extends Error {
  /** What the work had stored by then, as a clause; '' for nothing. */
  readonly kept: string;

  constructor(kept: string, options?: ErrorOptions) {
    super('interrupted', options);
    this.kept = kept;
  }
}

/**
 * Runs work under a signal that Ctrl-C and SIGTERM abort; asked a second time, the process ends at once.
 * @param kept what the work has stored so far, as a clause; '' for nothing
 * @throws Interrupted when the work ended because of the signal
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  kept: () => string = () => '',
): Promise<T> {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    return await work(controller.signal);
  } catch (error) {
    throw controller.signal.aborted && isCancellation(error)
      ? new Interrupted(kept(), { cause: error })
      : error;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

const isCancellation = (error: unknown): boolean =>
  (error instanceof CodedError && error.code === 'CANCELLED') ||
  (error instanceof DOMException && error.name === 'AbortError');

/** Says on standard error, once the signal aborts, what is waited for all the same; null for nothing. */
export function announceWaiting(signal: AbortSignal | undefined, what: () => string | null): void {
  const announce = () => {
    const waitedFor = what();
    if (waitedFor !== null)
      process.stderr.write(`waiting for ${waitedFor}; interrupt again to end at once\n`);
  };
  signal?.addEventListener('abort', announce, { once: true });
}
