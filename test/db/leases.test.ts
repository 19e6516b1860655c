import { expect, test, vi } from 'vitest';
import { LeaseHeldError, LeaseLostError, leaseMs, openStore } from '../../src/db/index.ts';
import * as clock from '../../src/lib/boot-clock.ts';
import { alone } from '../../src/runs/hold-lease.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

function movedClock() {
  const now = { boot: 'first start', ms: 1_000_000 };
  vi.spyOn(clock, 'bootTime').mockImplementation(() => ({ ...now }));
  return now;
}

test('one at a time: the second is told who has it, since when, and for how long at most', () => {
  const now = movedClock();
  const store = temporaryStore();
  const other = openStore(store.file);
  const first = store.leases.take('the work', 'process 1');
  now.ms += 1_500;
  expect(() => other.leases.take('the work', 'process 2')).toThrow(LeaseHeldError);
  expect(() => other.leases.take('the work', 'process 2')).toThrow(
    /^process 1 is at work on the work, since \d{4}-.*Z; ask again when it has ended, or, if it was killed, in 29 s$/,
  );
  expect(other.leases.take('other work', 'process 2').fence).toBe(1);
  store.leases.release(first);
  const second = other.leases.take('the work', 'process 2');
  expect(second).toEqual({ name: 'the work', fence: 2 });
  store.leases.release(first); // which is not its any more
  expect(other.leases.holds(second)).toBe(true);
  other.close();
});

test('it runs out unless it is renewed, by the clock of the machine and not beyond its start', () => {
  const now = movedClock();
  const store = temporaryStore();
  const first = store.leases.take('the work', 'process 1');
  now.ms += leaseMs - 1;
  store.leases.renew(first);
  now.ms += leaseMs - 1;
  expect(() => store.leases.take('the work', 'process 2')).toThrow(LeaseHeldError);
  now.ms += 1;
  store.leases.demand(first); // nobody has wanted it yet
  const second = store.leases.take('the work', 'process 2');
  expect(() => store.leases.demand(first)).toThrow(LeaseLostError);
  expect(() => store.leases.renew(first)).toThrow(LeaseLostError);
  Object.assign(now, { boot: 'second start', ms: 5 });
  expect(store.leases.take('the work', 'process 3').fence).toBe(second.fence + 1);
});

test('work that fails gives it back', async () => {
  const store = temporaryStore();
  const failing = alone(store, 'the work', () => Promise.reject(new Error('failed')));
  await expect(failing).rejects.toThrow('failed');
  expect(await alone(store, 'the work', () => Promise.resolve('done'))).toBe('done');
});
