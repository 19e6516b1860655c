import { integer, real, sqliteTable, unique } from 'drizzle-orm/sqlite-core';
import { runLayers } from './run-layers.ts';

/** Statistics of one (layer, position); the numbers themselves are in vector_data. Null where not finite or not defined. */
export const diffVectors = sqliteTable(
  'diff_vectors',
  {
    id: integer('id').primaryKey(),
    layerId: integer('layer_id')
      .notNull()
      .references(() => runLayers.id, { onDelete: 'cascade' }),
    position: integer('position').notNull(),
    samples: integer('samples').notNull(),
    norm: real('norm'),
    baseMeanNorm: real('base_mean_norm'),
    finetunedMeanNorm: real('finetuned_mean_norm'),
    standardErrorNorm: real('standard_error_norm'),
    splitHalfCosine: real('split_half_cosine'),
    cosineBaseFinetuned: real('cosine_base_finetuned'),
    swapNormMean: real('swap_norm_mean'),
    swapNormDeviation: real('swap_norm_deviation'),
    swapNormMax: real('swap_norm_max'),
    baseSplitNorm: real('base_split_norm'),
  },
  (table) => [unique('diff_vectors_position').on(table.layerId, table.position)],
);
