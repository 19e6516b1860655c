import type { Clock } from '../../src/graders/clock.ts';

/** A clock that stands still until it is advanced. */
export function clockByHand(): Clock & { waiting(): number; advance(ms: number): void } {
  let now = Date.UTC(2026, 0, 1);
  let sleepers: { until: number; wake: () => void }[] = [];
  return {
    now: () => now,
    wait: (ms) => new Promise<void>((wake) => sleepers.push({ until: now + ms, wake })),
    waiting: () => sleepers.length,
    advance(ms) {
      now += ms;
      const awake = sleepers.filter(({ until }) => until <= now);
      sleepers = sleepers.filter(({ until }) => until > now);
      for (const { wake } of awake) wake();
    },
  };
}
