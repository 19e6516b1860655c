import { integer, sqliteTable, text } from '../drizzle.ts';
import { samples } from './samples.ts';

/** What was asked and said in a sample, apart from it so that lists of samples never read texts. */
export const sampleTexts = sqliteTable('sample_texts', {
  sampleId: integer('sample_id')
    .primaryKey()
    .references(() => samples.id, { onDelete: 'cascade' }),
  prompt: text('prompt').notNull(),
  text: text('text').notNull(),
  tokenIds: text('token_ids', { mode: 'json' }).$type<number[]>().notNull(),
});
