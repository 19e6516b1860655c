import { check, integer, sql, sqliteTable, text, uniqueIndex } from '../drizzle.ts';
import { organisms } from './organisms.ts';
import { runs } from './runs.ts';

/** Words that people put on organisms and runs to find them again. */
export const tags = sqliteTable(
  'tags',
  {
    id: integer('id').primaryKey(),
    organismId: integer('organism_id').references(() => organisms.id, { onDelete: 'cascade' }),
    runId: integer('run_id').references(() => runs.id, { onDelete: 'cascade' }),
    name: text('name').notNull(),
    createdAt: text('created_at').notNull(),
  },
  (table) => [
    uniqueIndex('tags_organism').on(table.organismId, table.name),
    uniqueIndex('tags_run').on(table.runId, table.name),
    check('tags_subject', sql`(${table.organismId} is null) <> (${table.runId} is null)`),
  ],
);
