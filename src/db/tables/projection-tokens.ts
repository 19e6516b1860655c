import { index, integer, primaryKey, real, sqliteTable, text } from '../drizzle.ts';
import { projections } from './projections.ts';

/** Tokens of a projection, best first. By far the most rows, so the primary key is the row (WITHOUT ROWID, in the migration). */
export const projectionTokens = sqliteTable(
  'projection_tokens',
  {
    projectionId: integer('projection_id')
      .notNull()
      .references(() => projections.id, { onDelete: 'cascade' }),
    rank: integer('rank').notNull(),
    tokenId: integer('token_id').notNull(),
    text: text('text'),
    probability: real('probability'),
  },
  (table) => [
    primaryKey({ columns: [table.projectionId, table.rank] }),
    index('projection_tokens_text').on(table.text, table.rank, table.projectionId),
  ],
);
