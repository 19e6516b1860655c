import { onceEach } from '../../lib/once-each.ts';
import type { Connection } from '../connection.ts';
import { NotFoundError } from '../errors.ts';
import { splitSampleKey } from '../keys.ts';
import { listing } from '../listing.ts';
import { finder } from '../table-sql.ts';
import { samples } from '../tables/samples.ts';
import { sampleTexts } from '../tables/sample-texts.ts';
import type { SteeringExperimentRow } from './steering-experiments.ts';

type Columns = typeof samples.$inferSelect;
export type SampleRow = Columns & { key: string; experiment: SteeringExperimentRow };
export type SampleText = typeof sampleTexts.$inferSelect;

export interface SampleFilters {
  steered?: boolean | null | undefined;
  prompt?: number | null | undefined;
}

const toRow = (columns: Columns, experiment: SteeringExperimentRow): SampleRow => {
  const { steered, promptIndex, sampleIndex } = columns;
  const key = `${experiment.key}.${steered ? 'steered' : 'unsteered'}.${promptIndex}.${sampleIndex}`;
  return { ...columns, key, experiment };
};

export function sampleStore(
  sqlite: Connection,
  experiments: {
    findByKey(key: string): SteeringExperimentRow | undefined;
    loader(): (id: number) => SteeringExperimentRow;
  },
) {
  const findById = finder(sqlite, samples, 'id = ?');
  const find = finder(
    sqlite,
    samples,
    'experiment_id = ? and prompt_index = ? and steered = ? and sample_index = ?',
  );
  const text = finder(sqlite, sampleTexts, 'sample_id = ?');
  return {
    findByKey(key: string): SampleRow | undefined {
      const parts = splitSampleKey(key);
      const experiment = parts && experiments.findByKey(parts.experiment);
      const columns =
        experiment && find(experiment.id, parts.promptIndex, Number(parts.steered), parts.sampleIndex);
      return columns && toRow(columns, experiment);
    },
    /** Samples by their integer keys, each and what it belongs to read once. */
    loader(): (id: number) => SampleRow {
      const experiment = experiments.loader();
      return onceEach((id) => {
        const columns = findById(id);
        if (!columns) throw new NotFoundError('sample', id);
        return toRow(columns, experiment(columns.experimentId));
      });
    },
    /** What was asked and said in it. */
    read: (sample: SampleRow): SampleText => text(sample.id) as SampleText,
    ofExperiment: listing(sqlite, {
      name: 'steeringExperiment.samples',
      table: samples,
      where:
        'experiment_id = @experimentId and (@steered is null or steered = @steered)' +
        ' and (@prompt is null or prompt_index = @prompt)',
      parameters: (experiment: SteeringExperimentRow, { steered, prompt }: SampleFilters) => ({
        experimentId: experiment.id,
        steered: typeof steered === 'boolean' ? Number(steered) : null,
        prompt: prompt ?? null,
      }),
      order: ['promptIndex', 'steered', 'sampleIndex'],
      row: toRow,
    }),
  };
}
