import type { Clock } from '../../src/graders/clock.ts';

/** A clock on which waiting takes no time but that of the clock, and that remembers how long was waited. */
export function instantClock(): Clock & { waits: number[] } {
  let now = Date.UTC(2026, 0, 1);
  const waits: number[] = [];
  return {
    waits,
    now: () => now,
    wait(ms, signal) {
      signal?.throwIfAborted();
      waits.push(ms);
      now += ms;
      return Promise.resolve();
    },
  };
}
