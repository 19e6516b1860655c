import { distinctAscending } from '../../lib/distinct-ascending.ts';
import { onceEach } from '../../lib/once-each.ts';
import type { Connection } from '../connection.ts';
import { NotFoundError } from '../errors.ts';
import { splitDiffVectorKey } from '../keys.ts';
import { diffVectorFields, diffVectorJoins, diffVectorSorts } from '../filters.ts';
import { type Asked, isOneOf, listing, mostCounted, oneOf } from '../listing.ts';
import { finder, rowReader, selectList } from '../table-sql.ts';
import { diffVectors } from '../tables/diff-vectors.ts';
import { listed, type Viewer } from '../visible.ts';
import type { RunLayerRow } from './run-layers.ts';
import type { RunRow } from './runs.ts';

type Columns = typeof diffVectors.$inferSelect;
export type DiffVectorRow = Columns & { key: string; layer: RunLayerRow };

export interface DiffVectorFilters {
  positions?: readonly number[] | null | undefined;
}

/** Numbers of a place that a map of a run can show, each with its SQL over run_layers and diff_vectors. */
const mapped = {
  NORM: 'norm',
  RELATIVE_NORM: 'norm / nullif(base_norm, 0)',
  STANDARD_ERROR_NORM: 'standard_error_norm',
  SPLIT_HALF_COSINE: 'split_half_cosine',
  COSINE_BASE_FINETUNED: 'cosine_base_finetuned',
  SWAP_NORM_MEAN: 'swap_norm_mean',
  SWAP_NORM_DEVIATION: 'swap_norm_deviation',
} as const;
export type MapStatistic = keyof typeof mapped;
export const mapStatistics = Object.keys(mapped) as MapStatistic[];

/** A number for each layer and position of a run. */
export interface HeatMap {
  statistic: MapStatistic;
  /** Ascending. */
  layers: number[];
  positions: number[];
  /** [layers · positions], position fastest; NaN where there is no number. */
  values: Float32Array;
}

const toRow = (columns: Columns, layer: RunLayerRow): DiffVectorRow => ({
  ...columns,
  key: `${layer.key}.P${columns.position}`,
  layer,
});

export function diffVectorStore(
  sqlite: Connection,
  viewer: Viewer,
  layers: {
    findByKey(key: string): RunLayerRow | undefined;
    loader(): (id: number) => RunLayerRow;
    allOf(run: RunRow): RunLayerRow[];
  },
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
  const cellsOf = onceEach((statistic: MapStatistic) =>
    sqlite.prepare(
      `select layer, position, ${mapped[statistic]} as value
       from run_layers join diff_vectors on layer_id = run_layers.id where run_id = ?`,
    ),
  );
  const ofRun = sqlite.prepare(
    `select ${selectList(diffVectors)} from run_layers join diff_vectors on layer_id = run_layers.id
     where run_id = ? order by layer, diff_vectors.position`,
  );
  const read = rowReader(diffVectors);
  return {
    /** All of a run, by layer and position. */
    ofRun(run: RunRow): DiffVectorRow[] {
      const byId = new Map(layers.allOf(run).map((layer) => [layer.id, layer]));
      return ofRun.all(run.id).map((row) => {
        const columns = read(row);
        return toRow(columns, byId.get(columns.layerId) as RunLayerRow);
      });
    },
    heatMap(run: RunRow, statistic: MapStatistic): HeatMap {
      const found = cellsOf(statistic).all(run.id) as {
        layer: number;
        position: number;
        value: number | null;
      }[];
      const layers = distinctAscending(found.map(({ layer }) => layer));
      const positions = distinctAscending(found.map(({ position }) => position));
      const [rowOf, columnOf] = [layers, positions].map((all) => new Map(all.map((value, i) => [value, i])));
      const values = new Float32Array(layers.length * positions.length).fill(NaN);
      for (const { layer, position, value } of found) {
        const at = Number(rowOf?.get(layer)) * positions.length + Number(columnOf?.get(position));
        values[at] = value ?? NaN;
      }
      return { statistic, layers, positions, values };
    },
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
      viewer,
      joins: diffVectorJoins(viewer),
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
