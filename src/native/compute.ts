import { addon, type JobHandle, type NativeProgress } from './addon.ts';
import { fromAddon, NativeError } from './errors.ts';

/** Work done so far, in units that only compare with `total`. */
export interface Progress {
  done: number;
  total: number;
}

export interface ComputeOptions {
  /** Stops the computation within a fraction of a layer; the promise rejects with code CANCELLED. */
  signal?: AbortSignal | undefined;
  /** Called now and then while the computation runs, and once at its end. What it throws ends the computation and is passed on. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** Runs one call of the addon under a signal and a progress callback, with errors made the façade's. */
export async function compute<T>(
  { signal, onProgress }: ComputeOptions,
  start: (job: JobHandle, progress: NativeProgress | undefined) => Promise<T>,
): Promise<T> {
  const cancelled = () =>
    new NativeError('CANCELLED', 'the computation was cancelled', { cause: signal?.reason });
  if (signal?.aborted) throw cancelled();

  const job = addon().newJob();
  const cancel = () => addon().cancel(job);
  signal?.addEventListener('abort', cancel, { once: true });

  let thrown: { error: unknown } | undefined; // by the caller's own onProgress
  const progress =
    onProgress &&
    ((done: number, total: number) => {
      if (thrown) return;
      try {
        onProgress({ done, total });
      } catch (error) {
        thrown = { error };
        cancel();
      }
    });
  try {
    const result = await start(job, progress);
    if (!thrown) return result;
  } catch (error) {
    const mine = fromAddon(error);
    if (!thrown) throw mine instanceof NativeError && mine.code === 'CANCELLED' ? cancelled() : mine;
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
  throw thrown.error;
}
