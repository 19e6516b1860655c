import { index, integer, primaryKey, sqliteTable, text } from '../drizzle.ts';

/** What clients called their requests, so that one sent twice is done once. */
export const idempotencyKeys = sqliteTable(
  'idempotency_keys',
  {
    client: text('client').notNull(),
    key: text('key').notNull(),
    /** SHA-256 of the mutation's name and its input. */
    payloadHash: text('payload_hash').notNull(),
    /** The key of what it made; null when it made nothing that has one. */
    resultKey: text('result_key'),
    /** Milliseconds since 1970. */
    createdAt: integer('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.client, table.key] }),
    index('idempotency_keys_oldest').on(table.createdAt),
  ],
);
