import { check, integer, real, sql, sqliteTable, text, uniqueIndex } from '../drizzle.ts';
import type { JsonObject } from '../../lib/canonical-json.ts';
import { diffVectors } from './diff-vectors.ts';
import { modes } from './modes.ts';

export const projectionVariants = ['DIFF', 'BASE', 'FINETUNED'] as const;
export type ProjectionVariant = (typeof projectionVariants)[number];
export const projectionSigns = ['PROMOTED', 'SUPPRESSED'] as const;
export type ProjectionSign = (typeof projectionSigns)[number];

/** What a method read out of a vector; its tokens are in projection_tokens. */
export const projections = sqliteTable(
  'projections',
  {
    id: integer('id').primaryKey(),
    vectorId: integer('vector_id')
      .notNull()
      .references(() => diffVectors.id, { onDelete: 'cascade' }),
    method: text('method').notNull(),
    methodVersion: integer('method_version').notNull(),
    variant: text('variant', { enum: projectionVariants }).notNull(),
    sign: text('sign', { enum: projectionSigns }).notNull(),
    /** What the vector was multiplied by; null where the method knows no scales. */
    scale: real('scale'),
    /** As `scale`, and 0 for null: a list is ordered by it, and equal nulls are one value in an index. */
    scaleOrder: real('scale_order')
      .notNull()
      .generatedAlwaysAs(sql`coalesce(scale, 0.0)`, { mode: 'virtual' }),
    chosen: integer('chosen', { mode: 'boolean' }).notNull(),
    score: real('score'),
    mode: text('mode', { enum: modes }).notNull(),
    parameters: text('parameters', { mode: 'json' }).$type<JsonObject>().notNull(),
    /** Of the version and the parameters; empty for what a run brought along, whose own key says both. */
    parametersKey: text('parameters_key').notNull(),
    engineVersion: text('engine_version').notNull(),
    createdAt: text('created_at').notNull(),
  },
  (table) => [
    uniqueIndex('projections_reading').on(
      table.vectorId,
      table.method,
      table.variant,
      table.sign,
      table.scaleOrder,
      table.mode,
      table.parametersKey,
    ),
    uniqueIndex('projections_chosen')
      .on(table.vectorId, table.method, table.variant, table.sign, table.mode, table.parametersKey)
      .where(sql`chosen = 1`),
    check('projections_variant', sql`${table.variant} in ('DIFF', 'BASE', 'FINETUNED')`),
    check('projections_sign', sql`${table.sign} in ('PROMOTED', 'SUPPRESSED')`),
    check('projections_mode', sql`${table.mode} in ('EXACT', 'COMPAT')`),
    check('projections_scale', sql`${table.scale} > 0`),
  ],
);
