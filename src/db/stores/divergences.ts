import type { JsonObject } from '../../lib/canonical-json.ts';
import { packageVersion } from '../../lib/package-root.ts';
import type { Connection } from '../connection.ts';
import { checks, leastDivergence } from '../checks.ts';
import { NotFoundError } from '../errors.ts';
import { parametersKey, splitDivergenceKey } from '../keys.ts';
import { isOneOf, listing, oneOf } from '../listing.ts';
import { finder, inserter } from '../table-sql.ts';
import { divergences } from '../tables/divergences.ts';
import type { RunRow } from './runs.ts';

type Columns = typeof divergences.$inferSelect;
export type DivergenceRow = Columns & { key: string; run: RunRow };

export interface DivergenceFilters {
  positions?: readonly number[] | null | undefined;
}

/** KL(finetuned ‖ base) of what both models expect after a position: mean and largest over the texts, in nats. */
export interface NewDivergence {
  position: number;
  mean: number;
  max: number;
  /** Texts that reach the position. */
  count: number;
  /** Tokens that both models know, over which it is summed. */
  vocabulary: number;
  /** Whatever else decides it. */
  parameters: JsonObject;
}

const toRow = (columns: Columns, run: RunRow): DivergenceRow => ({
  ...columns,
  key: `${run.key}.divergence.P${columns.position}.${columns.parametersKey}`,
  run,
});

const keyOf = (parameters: JsonObject): string =>
  parametersKey({ parameters, engineVersion: packageVersion() });

export function divergenceStore(sqlite: Connection, runs: { findByKey(key: string): RunRow | undefined }) {
  const findColumns = finder(sqlite, divergences, 'run_id = ? and position = ? and parameters_key = ?');
  const insert = inserter(sqlite, divergences);
  const at = (run: RunRow, position: number, key: string): DivergenceRow | undefined => {
    const columns = findColumns(run.id, position, key);
    return columns && toRow(columns, run);
  };

  const save = sqlite.transaction((run: RunRow, records: readonly NewDivergence[]): DivergenceRow[] => {
    if (runs.findByKey(run.key)?.id !== run.id) throw new NotFoundError('run', run.key);
    const made = { engineVersion: packageVersion(), createdAt: new Date().toISOString() };
    return records.map((record) => {
      check(run, record);
      const key = keyOf(record.parameters);
      const known = at(run, record.position, key);
      if (known) return known;
      insert({ ...record, ...made, runId: run.id, parametersKey: key });
      return at(run, record.position, key) as DivergenceRow;
    });
  });

  return {
    /** What this engine would compute with these parameters, if it is there. */
    find: (run: RunRow, position: number, parameters: JsonObject): DivergenceRow | undefined =>
      at(run, position, keyOf(parameters)),
    findByKey(key: string): DivergenceRow | undefined {
      const parts = splitDivergenceKey(key);
      const run = parts && runs.findByKey(parts.run);
      return run && at(run, parts.position, parts.parametersKey);
    },
    /**
     * Writes the divergences of a run, all of them or none. One that is there already is returned as it stands.
     * @throws InvalidResultError, NotFoundError
     */
    save: (run: RunRow, records: readonly NewDivergence[]): DivergenceRow[] => save.immediate(run, records),
    ofRun: listing(sqlite, {
      name: 'run.divergences',
      table: divergences,
      where: `run_id = @runId and ${isOneOf('position', 'positions')}`,
      parameters: (run: RunRow, { positions }: DivergenceFilters) => ({
        runId: run.id,
        positions: oneOf(positions),
      }),
      order: ['position', 'parametersKey'],
      row: toRow,
    }),
  };
}

function check(run: RunRow, { position, mean, max, count, vocabulary, parameters }: NewDivergence): void {
  const { whole, number, json, refuse } = checks(`divergence of ${run.key}, position ${position}`);
  whole('position', position, 0, run.positions - 1);
  number('mean', mean, leastDivergence);
  number('max', max, leastDivergence);
  if (max < mean) refuse(`the largest, ${max}, is below the mean, ${mean}`);
  whole('count', count, 1);
  whole('vocabulary', vocabulary, 1);
  json('parameters', parameters);
}
