import { integer, real, sqliteTable, unique } from '../drizzle.ts';
import { runs } from './runs.ts';

/** The decoder blocks a run measured. Statistics are null where the number was not finite. */
export const runLayers = sqliteTable(
  'run_layers',
  {
    id: integer('id').primaryKey(),
    runId: integer('run_id')
      .notNull()
      .references(() => runs.id, { onDelete: 'cascade' }),
    layer: integer('layer').notNull(),
    relativeDepth: real('relative_depth').notNull(),
    baseNorm: real('base_norm'),
    finetunedNorm: real('finetuned_norm'),
  },
  (table) => [unique('run_layers_layer').on(table.runId, table.layer)],
);
