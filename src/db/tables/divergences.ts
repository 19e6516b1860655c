import { integer, real, sqliteTable, text, unique } from '../drizzle.ts';
import type { JsonObject } from '../../lib/canonical-json.ts';
import { runs } from './runs.ts';

/** KL(finetuned ‖ base) of the next-token distributions after a position, over the texts of a run, in nats. */
export const divergences = sqliteTable(
  'divergences',
  {
    id: integer('id').primaryKey(),
    runId: integer('run_id')
      .notNull()
      .references(() => runs.id, { onDelete: 'cascade' }),
    position: integer('position').notNull(),
    mean: real('mean').notNull(),
    max: real('max').notNull(),
    count: integer('count').notNull(),
    vocabulary: integer('vocabulary').notNull(),
    parameters: text('parameters', { mode: 'json' }).$type<JsonObject>().notNull(),
    parametersKey: text('parameters_key').notNull(),
    engineVersion: text('engine_version').notNull(),
    createdAt: text('created_at').notNull(),
  },
  (table) => [unique('divergences_key').on(table.runId, table.position, table.parametersKey)],
);
