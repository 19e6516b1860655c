import type { Connection } from '../connection.ts';
import { splitTokenKey } from '../keys.ts';
import { tokenFields, tokenJoins, tokenSorts } from '../filters.ts';
import { listing, mostCounted } from '../listing.ts';
import { finder } from '../table-sql.ts';
import { projectionTokens } from '../tables/projection-tokens.ts';
import { listed, type Viewer } from '../visible.ts';
import type { GraderRow } from './graders.ts';
import { type AskedGraded, graderId, type ProjectionRow } from './projections.ts';

type Columns = typeof projectionTokens.$inferSelect;
export type ProjectionTokenRow = Columns & { key: string; projection: ProjectionRow };

const toRow = (columns: Columns, projection: ProjectionRow): ProjectionTokenRow => ({
  ...columns,
  key: `${projection.key}.${columns.rank}`,
  projection,
});

export function projectionTokenStore(
  sqlite: Connection,
  viewer: Viewer,
  projections: { findByKey(key: string): ProjectionRow | undefined; loader(): (id: number) => ProjectionRow },
  graders: { named(nameOrKey: string): GraderRow | undefined },
) {
  const find = finder(sqlite, projectionTokens, 'projection_id = ? and rank = ?');
  return {
    findByKey(key: string): ProjectionTokenRow | undefined {
      const parts = splitTokenKey(key);
      const projection = parts && projections.findByKey(parts.projection);
      const columns = projection && find(projection.id, parts.rank);
      return columns && toRow(columns, projection);
    },
    /** Those that a search finds, in readings of every organism: by text, the strongest first, unless told otherwise. */
    search: listing(sqlite, {
      name: 'tokenSearch',
      table: projectionTokens,
      where: listed(viewer, 'organisms'),
      parameters: (_: null, { grader }: AskedGraded) => ({ gradedBy: graderId(graders, grader) }),
      order: ['text', 'rank', 'projectionId'],
      row: (columns) => toRow(columns, projections.loader()(columns.projectionId)),
      rows(all) {
        const projection = projections.loader();
        return all.map((columns) => toRow(columns, projection(columns.projectionId)));
      },
      viewer,
      joins: tokenJoins(viewer),
      fields: tokenFields,
      sorts: tokenSorts,
      mostCounted,
      found: true,
    }),
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
