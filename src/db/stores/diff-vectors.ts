import type { Database } from 'better-sqlite3';
import { NotFoundError } from '../errors.ts';
import { splitDiffVectorKey } from '../keys.ts';
import { isOneOf, listing, oneOf } from '../listing.ts';
import { finder } from '../table-sql.ts';
import { diffVectors } from '../tables/diff-vectors.ts';
import type { RunLayerRow } from './run-layers.ts';

type Columns = typeof diffVectors.$inferSelect;
export type DiffVectorRow = Columns & { key: string; layer: RunLayerRow };

export interface DiffVectorFilters {
  positions?: readonly number[] | null | undefined;
}

const toRow = (columns: Columns, layer: RunLayerRow): DiffVectorRow => ({
  ...columns,
  key: `${layer.key}.P${columns.position}`,
  layer,
});

export function diffVectorStore(
  sqlite: Database,
  layers: { findByKey(key: string): RunLayerRow | undefined },
) {
  const find = finder(sqlite, diffVectors, 'layer_id = ? and position = ?');
  const atPosition = (layer: RunLayerRow, position: number): DiffVectorRow | undefined => {
    const columns = find(layer.id, position);
    return columns && toRow(columns, layer);
  };
  const findByKey = (key: string): DiffVectorRow | undefined => {
    const parts = splitDiffVectorKey(key);
    const layer = parts && layers.findByKey(parts.layer);
    return layer && atPosition(layer, parts.position);
  };
  return {
    find: atPosition,
    findByKey,
    /** @throws NotFoundError for a row of another store, whose integer key means something else here. */
    demand(vector: DiffVectorRow): void {
      if (findByKey(vector.key)?.id !== vector.id) throw new NotFoundError('diff vector', vector.key);
    },
    ofLayer: listing(sqlite, {
      name: 'layer.diffVectors',
      table: diffVectors,
      where: `layer_id = @layerId and ${isOneOf('position', 'positions')}`,
      parameters: (layer: RunLayerRow, { positions }: DiffVectorFilters) => ({
        layerId: layer.id,
        positions: oneOf(positions),
      }),
      order: ['position'],
      row: toRow,
    }),
  };
}
