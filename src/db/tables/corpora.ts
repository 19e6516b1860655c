import { index, integer, sqliteTable, text } from '../drizzle.ts';
import { ownership, ownershipChecks } from './ownership.ts';

/** Probe texts: JSONL files with a text column. */
export const corpora = sqliteTable(
  'corpora',
  {
    id: integer('id').primaryKey(),
    name: text('name').notNull().unique(),
    path: text('path').notNull(),
    textColumn: text('text_column').notNull(),
    digest: text('digest').notNull(),
    rows: integer('rows').notNull(),
    createdAt: text('created_at').notNull(),
    ...ownership(),
  },
  (table) => [index('corpora_team').on(table.teamId), ...ownershipChecks('corpora', table)],
);
