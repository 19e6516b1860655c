import { integer, sqliteTable, text, uniqueIndex } from '../drizzle.ts';
import type { JsonObject } from '../../lib/canonical-json.ts';

/** What judges: a name and everything that decides how it does. Other content is another grader. */
export const graders = sqliteTable(
  'graders',
  {
    id: integer('id').primaryKey(),
    /** Name and 12 hex digits of all the rest. */
    key: text('key').notNull().unique(),
    name: text('name').notNull(),
    version: integer('version').notNull(),
    /** SHA-256 of its prompt; null for one that asks nobody. */
    promptDigest: text('prompt_digest'),
    /** Who answers it and where, and the model that is asked for; null for one that asks nobody. */
    provider: text('provider'),
    endpoint: text('endpoint'),
    model: text('model'),
    parameters: text('parameters', { mode: 'json' }).$type<JsonObject>().notNull(),
    createdAt: text('created_at').notNull(),
  },
  (table) => [uniqueIndex('graders_name').on(table.name, table.version, table.key)],
);
