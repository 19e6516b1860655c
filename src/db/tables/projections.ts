import { sql } from 'drizzle-orm';
import { check, integer, sqliteTable, text, unique } from 'drizzle-orm/sqlite-core';
import type { JsonObject } from '../../lib/canonical-json.ts';
import { diffVectors } from './diff-vectors.ts';

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
    parameters: text('parameters', { mode: 'json' }).$type<JsonObject>().notNull(),
  },
  (table) => [
    unique('projections_reading').on(table.vectorId, table.method, table.variant, table.sign),
    check('projections_variant', sql`${table.variant} in ('DIFF', 'BASE', 'FINETUNED')`),
    check('projections_sign', sql`${table.sign} in ('PROMOTED', 'SUPPRESSED')`),
  ],
);
