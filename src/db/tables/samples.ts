import { check, integer, real, sql, sqliteTable, text, unique } from '../drizzle.ts';
import { steeringExperiments } from './steering-experiments.ts';

export const sampleFinishes = ['STOP', 'LENGTH', 'REPETITION'] as const;
export type SampleFinish = (typeof sampleFinishes)[number];

/** Texts that a model wrote in a steering experiment, without the texts, which are in sample_texts. */
export const samples = sqliteTable(
  'samples',
  {
    id: integer('id').primaryKey(),
    experimentId: integer('experiment_id')
      .notNull()
      .references(() => steeringExperiments.id, { onDelete: 'cascade' }),
    promptIndex: integer('prompt_index').notNull(),
    steered: integer('steered', { mode: 'boolean' }).notNull(),
    sampleIndex: integer('sample_index').notNull(),
    strength: real('strength').notNull(),
    finish: text('finish', { enum: sampleFinishes }).notNull(),
    tokens: integer('tokens').notNull(),
    perplexity: real('perplexity'),
    coherent: integer('coherent', { mode: 'boolean' }),
  },
  (table) => [
    unique('samples_place').on(table.experimentId, table.promptIndex, table.steered, table.sampleIndex),
    check('samples_finish', sql`${table.finish} in ('STOP', 'LENGTH', 'REPETITION')`),
  ],
);
