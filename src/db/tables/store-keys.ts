import { blob, sqliteTable, text } from '../drizzle.ts';

/** Secrets of this file, made when it is migrated: they survive restarts and go with every copy. */
export const storeKeys = sqliteTable('store_keys', {
  name: text('name').primaryKey(),
  value: blob('value', { mode: 'buffer' }).notNull(),
});
