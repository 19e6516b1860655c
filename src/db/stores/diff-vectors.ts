import type { Database } from 'better-sqlite3';
import { onceEach } from '../../lib/once-each.ts';
import { NotFoundError } from '../errors.ts';
import { splitDiffVectorKey } from '../keys.ts';
import { diffVectorFields, diffVectorJoins, diffVectorSorts } from '../filters.ts';
import { type Asked, isOneOf, listing, mostCounted, oneOf } from '../listing.ts';
import { finder } from '../table-sql.ts';
import { diffVectors } from '../tables/diff-vectors.ts';
import { listed, type Viewer } from '../visible.ts';
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
  viewer: Viewer,
  layers: { findByKey(key: string): RunLayerRow | undefined; loader(): (id: number) => RunLayerRow },
) {
  const findById = finder(sqlite, diffVectors, 'id = ?');
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
    loader(): (id: number) => DiffVectorRow {
      const layer = layers.loader();
      return onceEach((id) => {
        const columns = findById(id);
        if (!columns) throw new NotFoundError('diff vector', id);
        return toRow(columns, layer(columns.layerId));
      });
    },
    findByKey,
    /** @throws NotFoundError for a row of another store, whose integer key means something else here. */
    demand(vector: DiffVectorRow): void {
      if (findByKey(vector.key)?.id !== vector.id) throw new NotFoundError('diff vector', vector.key);
    },
    /** Those of every organism, in the order they were saved. */
    all: listing(sqlite, {
      name: 'diffVectors',
      table: diffVectors,
      where: listed(viewer, 'organisms'),
      parameters: (_: null, __: Asked) => ({}),
      order: ['id'],
      row: (columns) => toRow(columns, layers.loader()(columns.layerId)),
      rows(all) {
        const layer = layers.loader();
        return all.map((columns) => toRow(columns, layer(columns.layerId)));
      },
      joins: diffVectorJoins,
      joined: 'always',
      fields: diffVectorFields,
      sorts: diffVectorSorts,
      mostCounted,
    }),
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
