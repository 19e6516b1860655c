import { type Lease, LeaseLostError, leaseMs, type Store } from '../db/index.ts';

/** Work that this process alone does. */
export interface HeldLease {
  lease: Lease;
  /** Aborts with a LeaseLostError when another process has taken it over. */
  signal: AbortSignal;
  /** Lets others have it. */
  release: () => void;
}

/** The name of this process in a store. */
export const processName = (): string => `process ${process.pid}`;

/**
 * Renews a lease until it is released.
 * @param onBeat called with every renewal
 */
export function holdLease(
  store: Pick<Store, 'leases'>,
  lease: Lease,
  { ms = leaseMs, onBeat }: { ms?: number | undefined; onBeat?: () => void } = {},
): HeldLease {
  const lost = new AbortController();
  const beat = setInterval(() => {
    try {
      store.leases.renew(lease, ms);
      onBeat?.();
    } catch (error) {
      if (!(error instanceof LeaseLostError)) return; // a store that is busy for a moment: the next beat does it
      clearInterval(beat);
      lost.abort(error);
    }
  }, ms / 3);
  beat.unref();
  return {
    lease,
    signal: lost.signal,
    release() {
      clearInterval(beat);
      store.leases.release(lease);
    },
  };
}

/**
 * Does some work unless another process is at it.
 * @throws CodedError CONFLICT where one is
 */
export async function alone<T>(
  store: Pick<Store, 'leases'>,
  name: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const held = holdLease(store, store.leases.take(name, processName()));
  try {
    return await work(held.signal);
  } finally {
    held.release();
  }
}
