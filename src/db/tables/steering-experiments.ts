import { check, integer, real, sql, sqliteTable, text, unique } from '../drizzle.ts';
import type { JsonObject } from '../../lib/canonical-json.ts';
import { diffVectors } from './diff-vectors.ts';
import { modes } from './modes.ts';

/** A finetuned model made to speak with a vector added to its activations; what it said is in samples. */
export const steeringExperiments = sqliteTable(
  'steering_experiments',
  {
    id: integer('id').primaryKey(),
    vectorId: integer('vector_id')
      .notNull()
      .references(() => diffVectors.id, { onDelete: 'cascade' }),
    judge: text('judge').notNull(),
    judgeVersion: integer('judge_version').notNull(),
    mode: text('mode', { enum: modes }).notNull(),
    strength: real('strength').notNull(),
    thresholds: text('thresholds', { mode: 'json' }).$type<number[]>().notNull(),
    normMultiple: real('norm_multiple'),
    klFromUnsteered: real('kl_from_unsteered'),
    seed: integer('seed').notNull(),
    parameters: text('parameters', { mode: 'json' }).$type<JsonObject>().notNull(),
    settings: text('settings', { mode: 'json' }).$type<JsonObject>().notNull(),
    parametersKey: text('parameters_key').notNull(),
    engineVersion: text('engine_version').notNull(),
    createdAt: text('created_at').notNull(),
    /** JSON of every strength that was tried; long, so parsed only when asked for. */
    search: text('search').notNull(),
  },
  (table) => [
    unique('steering_experiments_key').on(table.vectorId, table.judge, table.parametersKey),
    check('steering_experiments_mode', sql`${table.mode} in ('EXACT', 'COMPAT')`),
  ],
);
