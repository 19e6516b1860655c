import { check, integer, real, sql, sqliteTable, text, unique } from '../drizzle.ts';
import type { JsonObject } from '../../lib/canonical-json.ts';
import { steeringExperiments } from './steering-experiments.ts';

export const similarityGroups = ['STEERED', 'UNSTEERED', 'TRAINING'] as const;
export type SimilarityGroup = (typeof similarityGroups)[number];
export const similarityOthers = ['TRAINING', 'PROBE'] as const;
export type SimilarityOther = (typeof similarityOthers)[number];

/** How alike two groups of texts are to an encoder. */
export const similarities = sqliteTable(
  'similarities',
  {
    id: integer('id').primaryKey(),
    experimentId: integer('experiment_id')
      .notNull()
      .references(() => steeringExperiments.id, { onDelete: 'cascade' }),
    group: text('text_group', { enum: similarityGroups }).notNull(),
    other: text('other_group', { enum: similarityOthers }).notNull(),
    encoderName: text('encoder_name').notNull(),
    encoderDigest: text('encoder_digest').notNull(),
    cosine: real('cosine').notNull(),
    texts: integer('texts').notNull(),
    otherTexts: integer('other_texts').notNull(),
    parameters: text('parameters', { mode: 'json' }).$type<JsonObject>().notNull(),
    parametersKey: text('parameters_key').notNull(),
    engineVersion: text('engine_version').notNull(),
    createdAt: text('created_at').notNull(),
  },
  (table) => [
    unique('similarities_key').on(table.experimentId, table.group, table.other, table.parametersKey),
    check('similarities_group', sql`${table.group} in ('STEERED', 'UNSTEERED', 'TRAINING')`),
    check('similarities_other', sql`${table.other} in ('TRAINING', 'PROBE')`),
  ],
);
