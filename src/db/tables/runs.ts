import { index, integer, real, sqliteTable, text } from '../drizzle.ts';
import type { JsonObject } from '../../lib/canonical-json.ts';
import { corpora } from './corpora.ts';
import { models } from './models.ts';
import { organisms } from './organisms.ts';

/** Paired measurements. Everything that made one stands in its row, also what its organism or model may later change. */
export const runs = sqliteTable(
  'runs',
  {
    id: integer('id').primaryKey(),
    key: text('key').notNull().unique(),
    organismId: integer('organism_id')
      .notNull()
      .references(() => organisms.id),
    baseModelId: integer('base_model_id')
      .notNull()
      .references(() => models.id),
    corpusId: integer('corpus_id')
      .notNull()
      .references(() => corpora.id),
    method: text('method').notNull(),
    methodVersion: integer('method_version').notNull(),
    positions: integer('positions').notNull(),
    samples: integer('samples').notNull(),
    uniquePrefixes: integer('unique_prefixes').notNull(),
    dModel: integer('d_model').notNull(),
    baseDigest: text('base_digest').notNull(),
    finetunedDigest: text('finetuned_digest').notNull(),
    corpusDigest: text('corpus_digest').notNull(),
    tokensDigest: text('tokens_digest').notNull(),
    seed: integer('seed'),
    computeDtype: text('compute_dtype').notNull(),
    accumulateDtype: text('accumulate_dtype').notNull(),
    storeDtype: text('store_dtype').notNull(),
    engineVersion: text('engine_version').notNull(),
    device: text('device').notNull(),
    spec: text('spec', { mode: 'json' }).$type<JsonObject>().notNull(),
    parameters: text('parameters', { mode: 'json' }).$type<JsonObject>().notNull(),
    /** JSON of any version, for readCertificate; long where an adapter has many modules, so parsed only when asked for. */
    certificate: text('certificate').notNull(),
    durationMs: real('duration_ms').notNull(),
    createdAt: text('created_at').notNull(),
    digest: text('digest').notNull(),
  },
  (table) => [
    index('runs_newest').on(table.createdAt, table.key),
    index('runs_organism').on(table.organismId, table.createdAt, table.key),
    index('runs_corpus').on(table.corpusId, table.createdAt, table.key),
    index('runs_base_model').on(table.baseModelId),
    index('runs_width').on(table.dModel, table.key),
  ],
);
