import { bootTime, type BootTime } from '../../lib/boot-clock.ts';
import { CodedError } from '../../lib/coded-error.ts';
import type { Connection } from '../connection.ts';
import { finder } from '../table-sql.ts';
import { leases } from '../tables/leases.ts';

/** The right to do some work, until it is given back or runs out. */
export interface Lease {
  name: string;
  fence: number;
}

/** How long a lease lasts without being renewed, in milliseconds; as long as an engine's claim of a job. */
export const leaseMs = 30_000;

/** Another process does it at this moment. */
export class LeaseHeldError extends CodedError {
  constructor({ name, owner, since }: { name: string; owner: string; since: string }, leftMs: number) {
    super(
      'CONFLICT',
      `${owner} is at work on ${name}, since ${since}; ask again when it has ended, or, if it was killed, in ${Math.ceil(leftMs / 1000)} s`,
    );
  }
}

/** Another process has taken it over: nothing must be written for it, or paid for, any more. */
export class LeaseLostError extends CodedError {
  constructor({ name }: Lease) {
    super(
      'CONFLICT',
      `another process has taken over the work on ${name}, which was not heard of for too long`,
    );
  }
}

/** What one process at a time may do, on the clock that the processes of a machine share. */
export function leaseStore(sqlite: Connection) {
  const find = finder(sqlite, leases, 'name = ?');
  const held = finder(sqlite, leases, 'name = ? and fence = ? and owner is not null');
  const put = sqlite.prepare(
    `insert into leases (name, fence, owner, since, boot, until) values (@name, 1, @owner, @since, @boot, @until)
     on conflict (name) do update set fence = fence + 1, owner = @owner, since = @since, boot = @boot, until = @until
     returning fence`,
  );
  const extend = sqlite.prepare(
    'update leases set boot = @boot, until = @until where name = @name and fence = @fence and owner is not null',
  );
  const free = sqlite.prepare('update leases set owner = null where name = @name and fence = @fence');

  /** Who does this at the moment. */
  const holderOf = (name: string, { boot, ms }: BootTime) => {
    const known = find(name);
    if (!known || known.owner === null || known.boot !== boot || known.until <= ms) return undefined;
    return { ...known, owner: known.owner };
  };

  const take = sqlite.transaction((name: string, owner: string, ms: number): Lease => {
    const now = bootTime();
    const holder = holderOf(name, now);
    if (holder) throw new LeaseHeldError(holder, holder.until - now.ms);
    const since = new Date().toISOString();
    const { fence } = put.get({ name, owner, since, boot: now.boot, until: now.ms + ms }) as {
      fence: number;
    };
    return { name, fence };
  });
  const holds = ({ name, fence }: Lease): boolean => held(name, fence) !== undefined;

  return {
    /**
     * Takes the right to do what this names.
     * @param owner names the process, for whoever looks into the store
     * @throws LeaseHeldError
     */
    take: (name: string, owner: string, ms: number = leaseMs): Lease => take.immediate(name, owner, ms),
    /** Whether some process does this at the moment. */
    isTaken: (name: string): boolean => holderOf(name, bootTime()) !== undefined,
    /** Whether nobody else has taken it since, though it may have run out. */
    holds,
    /** In a transaction it holds until the end of it. @throws LeaseLostError */
    demand(lease: Lease): void {
      if (!holds(lease)) throw new LeaseLostError(lease);
    },
    /** Prolongs it. @throws LeaseLostError */
    renew(lease: Lease, ms: number = leaseMs): void {
      const { boot, ms: now } = bootTime();
      if (extend.run({ ...lease, boot, until: now + ms }).changes === 0) throw new LeaseLostError(lease);
    },
    /** Gives it back; one that was lost stays whose it is. */
    release: (lease: Lease): void => void free.run({ ...lease }),
  };
}
