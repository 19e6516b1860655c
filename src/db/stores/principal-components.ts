import type { JsonObject } from '../../lib/canonical-json.ts';
import { packageVersion } from '../../lib/package-root.ts';
import type { Connection } from '../connection.ts';
import { checks } from '../checks.ts';
import { parametersKey, splitComponentsKey } from '../keys.ts';
import { listing } from '../listing.ts';
import { finder, inserter } from '../table-sql.ts';
import { principalComponents } from '../tables/principal-components.ts';
import type { DiffVectorRow } from './diff-vectors.ts';

type Columns = typeof principalComponents.$inferSelect;
export type PrincipalComponentsRow = Columns & { key: string; diffVector: DiffVectorRow };

/** How the differences of single texts spread round their mean, in squared activation units. */
export interface NewPrincipalComponents {
  samples: number;
  /** Eigenvalues of the centred covariance, largest first. */
  explained: number[];
  /** Sum of all eigenvalues, also of those not in `explained`. */
  total: number;
  /** (Σ eigenvalue)² / Σ eigenvalue²; null where nothing spreads. */
  participationRatio: number | null;
  /** ‖mean‖² / mean ‖difference‖²; null where all differences are zero. */
  meanShare: number | null;
  /** Whatever else decides it. */
  parameters: JsonObject;
}

const toRow = (columns: Columns, diffVector: DiffVectorRow): PrincipalComponentsRow => ({
  ...columns,
  key: `${diffVector.key}.components.${columns.parametersKey}`,
  diffVector,
});

const keyOf = (parameters: JsonObject): string =>
  parametersKey({ parameters, engineVersion: packageVersion() });

export function principalComponentsStore(
  sqlite: Connection,
  diffVectors: { findByKey(key: string): DiffVectorRow | undefined; demand(vector: DiffVectorRow): void },
) {
  const findColumns = finder(sqlite, principalComponents, 'vector_id = ? and parameters_key = ?');
  const insert = inserter(sqlite, principalComponents);
  const at = (vector: DiffVectorRow, key: string): PrincipalComponentsRow | undefined => {
    const columns = findColumns(vector.id, key);
    return columns && toRow(columns, vector);
  };

  const save = sqlite.transaction(
    (vector: DiffVectorRow, record: NewPrincipalComponents): PrincipalComponentsRow => {
      check(vector, record);
      diffVectors.demand(vector);
      const key = keyOf(record.parameters);
      const known = at(vector, key);
      if (known) return known;
      const made = { engineVersion: packageVersion(), createdAt: new Date().toISOString() };
      insert({ ...record, ...made, vectorId: vector.id, parametersKey: key });
      return at(vector, key) as PrincipalComponentsRow;
    },
  );

  return {
    /** What this engine would compute with these parameters, if it is there. */
    find: (vector: DiffVectorRow, parameters: JsonObject): PrincipalComponentsRow | undefined =>
      at(vector, keyOf(parameters)),
    findByKey(key: string): PrincipalComponentsRow | undefined {
      const parts = splitComponentsKey(key);
      const diffVector = parts && diffVectors.findByKey(parts.diffVector);
      return diffVector && at(diffVector, parts.parametersKey);
    },
    /**
     * Writes the spread at a place. What is there already is returned as it stands.
     * @throws InvalidResultError, NotFoundError
     */
    save: (vector: DiffVectorRow, record: NewPrincipalComponents): PrincipalComponentsRow =>
      save.immediate(vector, record),
    ofDiffVector: listing(sqlite, {
      name: 'diffVector.principalComponents',
      table: principalComponents,
      where: 'vector_id = @vectorId',
      parameters: (diffVector: DiffVectorRow) => ({ vectorId: diffVector.id }),
      order: ['parametersKey'],
      row: toRow,
    }),
  };
}

/** What rounding may do to an eigenvalue of 0 or a sum of all, beside the total. */
const slack = 1e-5;

function check(vector: DiffVectorRow, record: NewPrincipalComponents): void {
  const { whole, number, orNull, json, refuse } = checks(`components at ${vector.key}`);
  const { samples, explained, total, participationRatio, meanShare, parameters } = record;
  const width = vector.layer.run.dModel;
  whole('samples', samples, 1);
  number('total', total, 0);
  if (explained.length > width) refuse(`explained has ${explained.length} numbers, d_model is ${width}`);
  explained.forEach((value, i) => {
    number(`explained[${i}]`, value, -slack * total);
    const before = explained[i - 1] ?? Infinity;
    if (value > before)
      refuse(`explained[${i}] is ${value}, above the one before, ${before}; the largest comes first`);
  });
  const sum = explained.reduce((a, b) => a + b, 0);
  if (sum > total * (1 + slack)) refuse(`explained adds up to ${sum}, more than the total, ${total}`);
  orNull(participationRatio, (value) => number('participationRatio', value, 0));
  orNull(meanShare, (value) => number('meanShare', value, 0, 1 + slack));
  json('parameters', parameters);
}
