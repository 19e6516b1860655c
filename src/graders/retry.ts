import type { Clock } from './clock.ts';
import { ProviderError } from './provider-error.ts';

export interface RetryRule {
  /** Calls for one reply at most. */
  attempts: number;
  /** Milliseconds before the second; each later wait is twice as long, up to the longest. Half of a wait is drawn at random. */
  firstDelay: number;
  longestDelay: number;
  /** A provider that asks for a longer pause than this is not asked again. */
  patience: number;
}

export const defaultRetry: RetryRule = {
  attempts: 4,
  firstDelay: 500,
  longestDelay: 20_000,
  patience: 120_000,
};

/**
 * Does it, and again while what it throws says that may help: after the pause the provider asked for, else after one that grows.
 * @throws what the last attempt threw; the signal's reason
 */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  rule: RetryRule,
  {
    clock,
    random,
    signal,
    onPause,
  }: {
    clock: Clock;
    /** Uniform in [0, 1). */
    random: () => number;
    signal?: AbortSignal | undefined;
    /** Told why it waits now, and how many milliseconds. */
    onPause?: (why: ProviderError, ms: number) => void;
  },
): Promise<{ value: T; attempts: number }> {
  for (let made = 1; ; made++) {
    try {
      return { value: await attempt(), attempts: made };
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof ProviderError) || !error.retryable || made >= rule.attempts) throw error;
      const { retryAfterMs } = error;
      if (retryAfterMs !== undefined && retryAfterMs > rule.patience) throw error;
      const delay = Math.min(rule.longestDelay, rule.firstDelay * 2 ** (made - 1));
      const pause = retryAfterMs ?? delay * (1 / 2 + random() / 2);
      onPause?.(error, pause);
      await clock.wait(pause, signal);
    }
  }
}
