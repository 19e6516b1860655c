import { blob, check, integer, sql, sqliteTable, text, unique } from '../drizzle.ts';
import { diffVectors } from './diff-vectors.ts';

export const vectorKinds = ['DIFF', 'BASE_MEAN', 'FINETUNED_MEAN'] as const;
export type VectorKind = (typeof vectorKinds)[number];

/** The numbers of a vector: little-endian float32, d_model of them. Last column, so that the digest is read without it. */
export const vectorData = sqliteTable(
  'vector_data',
  {
    id: integer('id').primaryKey(),
    vectorId: integer('vector_id')
      .notNull()
      .references(() => diffVectors.id, { onDelete: 'cascade' }),
    kind: text('kind', { enum: vectorKinds }).notNull(),
    sha256: text('sha256').notNull(),
    data: blob('data', { mode: 'buffer' }).notNull(),
  },
  (table) => [
    unique('vector_data_kind').on(table.vectorId, table.kind),
    check('vector_data_kind_known', sql`${table.kind} in ('DIFF', 'BASE_MEAN', 'FINETUNED_MEAN')`),
    check('vector_data_whole_floats', sql`length(${table.data}) % 4 = 0`),
  ],
);
