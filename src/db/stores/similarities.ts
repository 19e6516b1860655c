import type { JsonObject } from '../../lib/canonical-json.ts';
import { packageVersion } from '../../lib/package-root.ts';
import type { Connection } from '../connection.ts';
import { checks } from '../checks.ts';
import { parametersKey, slug, splitSimilarityKey } from '../keys.ts';
import { listing } from '../listing.ts';
import { finder, inserter } from '../table-sql.ts';
import {
  similarities,
  similarityGroups,
  similarityOthers,
  type SimilarityGroup,
  type SimilarityOther,
} from '../tables/similarities.ts';
import type { SteeringExperimentRow } from './steering-experiments.ts';

type Columns = typeof similarities.$inferSelect;
export type SimilarityRow = Columns & { key: string; experiment: SteeringExperimentRow };

export interface SimilarityFilters {
  group?: SimilarityGroup | null | undefined;
  other?: SimilarityOther | null | undefined;
}

/** What decides a similarity, so that it can be looked for before anything is embedded. */
export interface SimilaritySpec {
  experiment: SteeringExperimentRow;
  encoderDigest: string;
  group: SimilarityGroup;
  other: SimilarityOther;
  /** Whatever else decides it, such as which texts stand for a group. */
  parameters: JsonObject;
}

/** The mean cosine of the embeddings of two groups of texts, over all pairs. */
export interface NewSimilarity extends SimilaritySpec {
  encoderName: string;
  cosine: number;
  texts: number;
  otherTexts: number;
}

const keyOf = ({ encoderDigest, parameters }: SimilaritySpec): string =>
  parametersKey({ encoderDigest, parameters, engineVersion: packageVersion() });

const toRow = (columns: Columns, experiment: SteeringExperimentRow): SimilarityRow => ({
  ...columns,
  key: `${experiment.key}.${slug(columns.group)}.${slug(columns.other)}.${columns.parametersKey}`,
  experiment,
});

export function similarityStore(
  sqlite: Connection,
  experiments: {
    findByKey(key: string): SteeringExperimentRow | undefined;
    demand(experiment: SteeringExperimentRow): void;
  },
) {
  const findColumns = finder(
    sqlite,
    similarities,
    'experiment_id = ? and text_group = ? and other_group = ? and parameters_key = ?',
  );
  const insert = inserter(sqlite, similarities);
  const at = (experiment: SteeringExperimentRow, group: string, other: string, key: string) => {
    const columns = findColumns(experiment.id, group, other, key);
    return columns && toRow(columns, experiment);
  };
  const find = (spec: SimilaritySpec): SimilarityRow | undefined =>
    at(spec.experiment, spec.group, spec.other, keyOf(spec));

  const save = sqlite.transaction((records: readonly NewSimilarity[]): SimilarityRow[] => {
    const made = { engineVersion: packageVersion(), createdAt: new Date().toISOString() };
    return records.map((record) => {
      const { experiment } = record;
      check(record);
      experiments.demand(experiment);
      const known = find(record);
      if (known) return known;
      insert({ ...record, ...made, experimentId: experiment.id, parametersKey: keyOf(record) });
      return find(record) as SimilarityRow;
    });
  });

  return {
    /** The similarity that this engine would compute, if it is there. */
    find,
    findByKey(key: string): SimilarityRow | undefined {
      const parts = splitSimilarityKey(key);
      const experiment = parts && experiments.findByKey(parts.experiment);
      return experiment && at(experiment, parts.group, parts.other, parts.parametersKey);
    },
    /**
     * Writes similarities, all of them or none. One that is there already is returned as it stands.
     * @throws InvalidResultError, NotFoundError
     */
    save: (records: readonly NewSimilarity[]): SimilarityRow[] => save.immediate(records),
    ofExperiment: listing(sqlite, {
      name: 'steeringExperiment.similarities',
      table: similarities,
      where:
        'experiment_id = @experimentId and (@group is null or text_group = @group)' +
        ' and (@other is null or other_group = @other)',
      parameters: (experiment: SteeringExperimentRow, { group, other }: SimilarityFilters) => ({
        experimentId: experiment.id,
        group: group ?? null,
        other: other ?? null,
      }),
      order: ['group', 'other', 'parametersKey'],
      row: toRow,
    }),
  };
}

/** A cosine of float32 unit vectors may be this much beyond 1 by rounding. */
const slack = 1e-5;

function check(record: NewSimilarity): void {
  const { oneOf, filled, number, whole, json } = checks(`similarity for ${record.experiment.key}`);
  oneOf('group', record.group, similarityGroups);
  oneOf('other', record.other, similarityOthers);
  filled('encoderName', record.encoderName);
  filled('encoderDigest', record.encoderDigest);
  number('cosine', record.cosine, -1 - slack, 1 + slack);
  whole('texts', record.texts, 1);
  whole('otherTexts', record.otherTexts, 1);
  json('parameters', record.parameters);
}
