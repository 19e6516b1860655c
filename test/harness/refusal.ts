import { NativeError } from '../../src/index.ts';

/** What a promise that must be refused says. */
export async function refusal(work: Promise<unknown> | (() => unknown)): Promise<NativeError> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (error instanceof NativeError) return error;
    throw new Error(`a NativeError is expected, not ${String(error)}`, { cause: error });
  }
  throw new Error('it was not refused');
}
