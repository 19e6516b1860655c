import { diff, type Model, NativeError, type Progress } from '../../src/index.ts';
import { randomTokens } from './random.ts';

export interface LongJob {
  /** Whether it still waits or runs. */
  goesOn(): boolean;
  /** Resolves when more of it is done than now. */
  progress(): Promise<Progress>;
  /** Cancels it. @throws when it had ended before: then nothing that was tried during it means anything */
  cancel(): Promise<void>;
}

/** Asks for a diff that takes far longer than anything that is tried during it; the caller cancels it. */
export function longJob(base: Model, finetuned: Model): LongJob {
  const controller = new AbortController();
  let settled = false;
  let tell: (progress: Progress) => void = () => undefined;
  const outcome = diff(base, finetuned, randomTokens(10_000, 24, 2048, 7), {
    layers: [7],
    memoryBudget: 64 * 1024 * 1024, // many small waves, so that progress is reported often
    signal: controller.signal,
    onProgress: (progress) => tell(progress),
  })
    .catch((error: unknown) => error)
    .finally(() => (settled = true));
  return {
    goesOn: () => !settled,
    progress: () => new Promise((resolve) => (tell = resolve)),
    async cancel() {
      controller.abort();
      const error = await outcome;
      if (!(error instanceof NativeError) || error.code !== 'CANCELLED')
        throw new Error('the long job was not cancelled', { cause: error });
    },
  };
}
