import { onceEach } from '../../lib/once-each.ts';
import type { Connection } from '../connection.ts';
import { NotFoundError } from '../errors.ts';
import { splitLayerKey } from '../keys.ts';
import { isOneOf, listing, oneOf } from '../listing.ts';
import { finder, rowReader, selectList } from '../table-sql.ts';
import { runLayers } from '../tables/run-layers.ts';
import type { RunRow } from './runs.ts';

type Columns = typeof runLayers.$inferSelect;

/** Rows below a run carry their parent, so every way back up is free. */
export type RunLayerRow = Columns & { key: string; run: RunRow };

export interface RunLayerFilters {
  layers?: readonly number[] | null | undefined;
}

const toRow = (columns: Columns, run: RunRow): RunLayerRow => ({
  ...columns,
  key: `${run.key}.L${columns.layer}`,
  run,
});

export function runLayerStore(
  sqlite: Connection,
  runs: { findByKey(key: string): RunRow | undefined; loader(): (id: number) => RunRow },
) {
  const findById = finder(sqlite, runLayers, 'id = ?');
  const find = finder(sqlite, runLayers, 'run_id = ? and layer = ?');
  const ofRun = (run: RunRow, layer: number): RunLayerRow | undefined => {
    const columns = find(run.id, layer);
    return columns && toRow(columns, run);
  };
  const all = sqlite.prepare(
    `select ${selectList(runLayers)} from run_layers where run_id = ? order by layer`,
  );
  const read = rowReader(runLayers);
  return {
    find: ofRun,
    /** The lowest first. */
    allOf: (run: RunRow): RunLayerRow[] => all.all(run.id).map((row) => toRow(read(row), run)),
    /** Layers by their integer keys, each and its run read once. */
    loader(): (id: number) => RunLayerRow {
      const run = runs.loader();
      return onceEach((id) => {
        const columns = findById(id);
        if (!columns) throw new NotFoundError('layer', id);
        return toRow(columns, run(columns.runId));
      });
    },
    findByKey(key: string): RunLayerRow | undefined {
      const parts = splitLayerKey(key);
      const run = parts && runs.findByKey(parts.run);
      return run && ofRun(run, parts.layer);
    },
    ofRun: listing(sqlite, {
      name: 'run.layers',
      table: runLayers,
      where: `run_id = @runId and ${isOneOf('layer', 'layers')}`,
      parameters: (run: RunRow, { layers }: RunLayerFilters) => ({ runId: run.id, layers: oneOf(layers) }),
      order: ['layer'],
      row: toRow,
    }),
  };
}
