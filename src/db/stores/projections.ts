import type { Database } from 'better-sqlite3';
import { slug, splitProjectionKey } from '../keys.ts';
import { listing } from '../listing.ts';
import { finder } from '../table-sql.ts';
import { projections, type ProjectionSign, type ProjectionVariant } from '../tables/projections.ts';
import type { DiffVectorRow } from './diff-vectors.ts';

type Columns = typeof projections.$inferSelect;
export type ProjectionRow = Columns & { key: string; diffVector: DiffVectorRow };

export interface ProjectionFilters {
  method?: string | null | undefined;
  variant?: ProjectionVariant | null | undefined;
  sign?: ProjectionSign | null | undefined;
}

const toRow = (columns: Columns, diffVector: DiffVectorRow): ProjectionRow => ({
  ...columns,
  key: `${diffVector.key}.${columns.method}.${slug(columns.variant)}.${slug(columns.sign)}`,
  diffVector,
});

export function projectionStore(
  sqlite: Database,
  diffVectors: { findByKey(key: string): DiffVectorRow | undefined },
) {
  const find = finder(sqlite, projections, 'vector_id = ? and method = ? and variant = ? and sign = ?');
  return {
    findByKey(key: string): ProjectionRow | undefined {
      const parts = splitProjectionKey(key);
      const diffVector = parts && diffVectors.findByKey(parts.diffVector);
      const columns = diffVector && find(diffVector.id, parts.method, parts.variant, parts.sign);
      return columns && toRow(columns, diffVector);
    },
    ofDiffVector: listing(sqlite, {
      name: 'diffVector.projections',
      table: projections,
      where:
        'vector_id = @vectorId and (@method is null or method = @method)' +
        ' and (@variant is null or variant = @variant) and (@sign is null or sign = @sign)',
      parameters: (diffVector: DiffVectorRow, { method, variant, sign }: ProjectionFilters) => ({
        vectorId: diffVector.id,
        method: method ?? null,
        variant: variant ?? null,
        sign: sign ?? null,
      }),
      order: ['method', 'variant', 'sign'],
      row: toRow,
    }),
  };
}
