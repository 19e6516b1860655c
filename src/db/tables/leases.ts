import { integer, sqliteTable, text } from '../drizzle.ts';

/** Work that one process at a time may do. A row stays when the work has ended: its fence only grows. */
export const leases = sqliteTable('leases', {
  /** What may be done, as "agent run <key>". */
  name: text('name').primaryKey(),
  /** Grows with every taking: a writer that names an older one is too late. */
  fence: integer('fence').notNull(),
  /** The process that has it; null when it was given back. */
  owner: text('owner'),
  /** When it was taken. */
  since: text('since').notNull(),
  /** The machine's start that the end of the lease belongs to, in milliseconds since then. */
  boot: text('boot').notNull(),
  until: integer('until').notNull(),
});
