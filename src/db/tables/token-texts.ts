import { integer, sqliteTable, text } from '../drizzle.ts';

/**
 * Every text that a token of a projection has or had, once: what a search for a part of a text looks through. As many rows as
 * vocabularies have, where projection_tokens grows with every run. token_texts_trigrams (FTS5, in the migration) is over it.
 */
export const tokenTexts = sqliteTable('token_texts', {
  id: integer('id').primaryKey(),
  text: text('text').notNull().unique(),
});
