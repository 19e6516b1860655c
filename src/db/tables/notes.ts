import { check, index, integer, sql, sqliteTable, text } from '../drizzle.ts';
import { diffVectors } from './diff-vectors.ts';
import { organisms } from './organisms.ts';
import { runs } from './runs.ts';

/** What people wrote about organisms, runs and diff vectors. */
export const notes = sqliteTable(
  'notes',
  {
    id: integer('id').primaryKey(),
    key: text('key').notNull().unique(),
    organismId: integer('organism_id').references(() => organisms.id, { onDelete: 'cascade' }),
    runId: integer('run_id').references(() => runs.id, { onDelete: 'cascade' }),
    vectorId: integer('vector_id').references(() => diffVectors.id, { onDelete: 'cascade' }),
    /** Key of what it is about. */
    subjectKey: text('subject_key').notNull(),
    text: text('text').notNull(),
    createdAt: text('created_at').notNull(),
  },
  (table) => [
    index('notes_organism').on(table.organismId, table.createdAt, table.key),
    index('notes_run').on(table.runId, table.createdAt, table.key),
    index('notes_vector').on(table.vectorId, table.createdAt, table.key),
    check(
      'notes_subject',
      sql`(${table.organismId} is not null) + (${table.runId} is not null) + (${table.vectorId} is not null) = 1`,
    ),
  ],
);
