import { integer, real, sqliteTable, text, unique } from '../drizzle.ts';
import type { JsonObject } from '../../lib/canonical-json.ts';
import { diffVectors } from './diff-vectors.ts';

/** Along how many directions the differences of single texts spread at a place. */
export const principalComponents = sqliteTable(
  'principal_components',
  {
    id: integer('id').primaryKey(),
    vectorId: integer('vector_id')
      .notNull()
      .references(() => diffVectors.id, { onDelete: 'cascade' }),
    samples: integer('samples').notNull(),
    explained: text('explained', { mode: 'json' }).$type<number[]>().notNull(),
    total: real('total').notNull(),
    participationRatio: real('participation_ratio'),
    meanShare: real('mean_share'),
    parameters: text('parameters', { mode: 'json' }).$type<JsonObject>().notNull(),
    parametersKey: text('parameters_key').notNull(),
    engineVersion: text('engine_version').notNull(),
    createdAt: text('created_at').notNull(),
  },
  (table) => [unique('principal_components_key').on(table.vectorId, table.parametersKey)],
);
