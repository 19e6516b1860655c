import type { Database } from 'better-sqlite3';
import { splitTokenKey } from '../keys.ts';
import { listing } from '../listing.ts';
import { finder } from '../table-sql.ts';
import { projectionTokens } from '../tables/projection-tokens.ts';
import type { ProjectionRow } from './projections.ts';

type Columns = typeof projectionTokens.$inferSelect;
export type ProjectionTokenRow = Columns & { key: string; projection: ProjectionRow };

const toRow = (columns: Columns, projection: ProjectionRow): ProjectionTokenRow => ({
  ...columns,
  key: `${projection.key}.${columns.rank}`,
  projection,
});

export function projectionTokenStore(
  sqlite: Database,
  projections: { findByKey(key: string): ProjectionRow | undefined },
) {
  const find = finder(sqlite, projectionTokens, 'projection_id = ? and rank = ?');
  return {
    findByKey(key: string): ProjectionTokenRow | undefined {
      const parts = splitTokenKey(key);
      const projection = parts && projections.findByKey(parts.projection);
      const columns = projection && find(projection.id, parts.rank);
      return columns && toRow(columns, projection);
    },
    ofProjection: listing(sqlite, {
      name: 'projection.tokens',
      table: projectionTokens,
      where: 'projection_id = @projectionId',
      parameters: (projection: ProjectionRow) => ({ projectionId: projection.id }),
      order: ['rank'],
      row: toRow,
    }),
  };
}
