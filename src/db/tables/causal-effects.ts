import { check, index, integer, real, sql, sqliteTable, text, unique } from '../drizzle.ts';
import type { JsonObject } from '../../lib/canonical-json.ts';
import { diffVectors } from './diff-vectors.ts';
import { modes } from './modes.ts';

export const causalDirections = [
  'BASE_TO_FINETUNED',
  'FINETUNED_TO_BASE',
  'ZERO_FINETUNED',
  'ZERO_BASE',
] as const;
export type CausalDirection = (typeof causalDirections)[number];
export const causalSubsets = ['ALL', 'AFTER_K', 'EXCLUDE_POSITION'] as const;
export type CausalSubset = (typeof causalSubsets)[number];
export const causalControls = ['NONE', 'RANDOM', 'RANDOM_DIFFERENCE'] as const;
export type CausalControl = (typeof causalControls)[number];

/** What exchanging or removing one direction of the activations does to a model's loss. Losses are means in nats a token. */
export const causalEffects = sqliteTable(
  'causal_effects',
  {
    id: integer('id').primaryKey(),
    vectorId: integer('vector_id')
      .notNull()
      .references(() => diffVectors.id, { onDelete: 'cascade' }),
    direction: text('direction', { enum: causalDirections }).notNull(),
    subset: text('subset', { enum: causalSubsets }).notNull(),
    control: text('control', { enum: causalControls }).notNull(),
    mode: text('mode', { enum: modes }).notNull(),
    corpusName: text('corpus_name').notNull(),
    corpusDigest: text('corpus_digest').notNull(),
    vectors: integer('vectors').notNull(),
    baseLoss: real('base_loss').notNull(),
    finetunedLoss: real('finetuned_loss').notNull(),
    intervenedLoss: real('intervened_loss').notNull(),
    intervenedLossDeviation: real('intervened_loss_deviation'),
    count: integer('count').notNull(),
    seed: integer('seed'),
    parameters: text('parameters', { mode: 'json' }).$type<JsonObject>().notNull(),
    /** Of what an effect and its controls have in common. */
    conditionsKey: text('conditions_key').notNull(),
    parametersKey: text('parameters_key').notNull(),
    engineVersion: text('engine_version').notNull(),
    createdAt: text('created_at').notNull(),
  },
  (table) => [
    unique('causal_effects_key').on(
      table.vectorId,
      table.direction,
      table.subset,
      table.control,
      table.parametersKey,
    ),
    index('causal_effects_controls').on(
      table.vectorId,
      table.conditionsKey,
      table.direction,
      table.subset,
      table.control,
    ),
    check(
      'causal_effects_direction',
      sql`${table.direction} in ('BASE_TO_FINETUNED', 'FINETUNED_TO_BASE', 'ZERO_FINETUNED', 'ZERO_BASE')`,
    ),
    check('causal_effects_subset', sql`${table.subset} in ('ALL', 'AFTER_K', 'EXCLUDE_POSITION')`),
    check('causal_effects_control', sql`${table.control} in ('NONE', 'RANDOM', 'RANDOM_DIFFERENCE')`),
    check('causal_effects_mode', sql`${table.mode} in ('EXACT', 'COMPAT')`),
  ],
);
