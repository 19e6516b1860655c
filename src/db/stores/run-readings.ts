import type { Connection } from '../connection.ts';
import type { RunRow } from './runs.ts';

/** How much has been read out of the vectors of a run and made of them, and when last. */
export type RunReadings = Record<'projections' | 'experiments', { count: number; newest: string | null }>;

export function runReadingStore(sqlite: Connection) {
  const of = (table: 'projections' | 'steering_experiments') =>
    sqlite.prepare(
      `select count(*) as count, max(made.created_at) as newest from run_layers
       join diff_vectors on diff_vectors.layer_id = run_layers.id
       join ${table} as made on made.vector_id = diff_vectors.id
       where run_layers.run_id = ?`,
    );
  const [projections, experiments] = [of('projections'), of('steering_experiments')];

  return {
    /** Others after anything has been added: whoever reads a run again may find more. */
    countsOf: ({ id }: RunRow): RunReadings => ({
      projections: projections.get(id) as RunReadings['projections'],
      experiments: experiments.get(id) as RunReadings['experiments'],
    }),
  };
}
