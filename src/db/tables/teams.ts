import { integer, sqliteTable, text } from '../drizzle.ts';

/** Who shares things. A team is its tokens. */
export const teams = sqliteTable('teams', {
  id: integer('id').primaryKey(),
  name: text('name').notNull().unique(),
  createdAt: text('created_at').notNull(),
});
