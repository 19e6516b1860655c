import { index, integer, sqliteTable, text } from '../drizzle.ts';
import { ownership, ownershipChecks } from './ownership.ts';

/** Base checkpoints, by name. */
export const models = sqliteTable(
  'models',
  {
    id: integer('id').primaryKey(),
    name: text('name').notNull().unique(),
    path: text('path').notNull(),
    digest: text('digest').notNull(),
    architecture: text('architecture').notNull(),
    layers: integer('layers').notNull(),
    dModel: integer('d_model').notNull(),
    vocabSize: integer('vocab_size').notNull(),
    parameters: integer('parameters').notNull(),
    dtype: text('dtype').notNull(),
    tiedHead: integer('tied_head', { mode: 'boolean' }).notNull(),
    createdAt: text('created_at').notNull(),
    ...ownership(),
  },
  (table) => [index('models_team').on(table.teamId), ...ownershipChecks('models', table)],
);
