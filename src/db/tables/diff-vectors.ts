import { index, integer, real, sql, sqliteTable, unique } from '../drizzle.ts';
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
    /** The rule of aboveNoise, for conditions: 1, 0, or null where a number is missing or their sum is not finite. */
    isAboveNoise: integer('above_noise').generatedAlwaysAs(
      sql`case when abs(swap_norm_mean + 5.0 * swap_norm_deviation) <= 1.7976931348623157e308 then norm > swap_norm_mean + 5.0 * swap_norm_deviation end`,
      { mode: 'virtual' },
    ),
  },
  (table) => [
    unique('diff_vectors_position').on(table.layerId, table.position),
    index('diff_vectors_norm').on(table.norm),
  ],
);
