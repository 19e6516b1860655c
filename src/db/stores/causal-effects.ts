import type { JsonObject } from '../../lib/canonical-json.ts';
import { packageVersion } from '../../lib/package-root.ts';
import type { Connection } from '../connection.ts';
import { checks } from '../checks.ts';
import { parametersKey, slug, splitCausalEffectKey } from '../keys.ts';
import { listing } from '../listing.ts';
import { finder, inserter } from '../table-sql.ts';
import {
  causalControls,
  causalDirections,
  causalEffects,
  causalSubsets,
  type CausalControl,
  type CausalDirection,
  type CausalSubset,
} from '../tables/causal-effects.ts';
import { modes, type Mode } from '../tables/modes.ts';
import type { DiffVectorRow } from './diff-vectors.ts';

type Columns = typeof causalEffects.$inferSelect;
export type CausalEffectRow = Columns & { key: string; diffVector: DiffVectorRow };

export interface CausalEffectFilters {
  direction?: CausalDirection | null | undefined;
  subset?: CausalSubset | null | undefined;
  control?: CausalControl | null | undefined;
}

/** What decides an effect, so that it can be looked for before anything is computed. */
export interface CausalEffectSpec {
  corpusDigest: string;
  direction: CausalDirection;
  subset: CausalSubset;
  mode: Mode;
  /** What stood in for the diff vector: itself, or random ones to compare with. */
  control: CausalControl;
  /** How many of them; 1 without a control. */
  vectors: number;
  /** Of the random ones; null without a control. */
  seed: number | null;
  /** Whatever else decides the losses. An effect and its controls have equal ones. */
  parameters: JsonObject;
}

/** Losses are means in nats a token over `count` predictions; the intervened one also over the vectors. */
export interface NewCausalEffect extends CausalEffectSpec {
  vector: DiffVectorRow;
  corpusName: string;
  baseLoss: number;
  finetunedLoss: number;
  intervenedLoss: number;
  /** Over the vectors of a control. */
  intervenedLossDeviation: number | null;
  count: number;
}

const keysOf = ({ corpusDigest, mode, vectors, seed, parameters }: CausalEffectSpec) => {
  const conditions = { corpusDigest, mode, parameters, engineVersion: packageVersion() };
  return {
    conditionsKey: parametersKey(conditions),
    parametersKey: parametersKey({ ...conditions, vectors, seed }),
  };
};

const toRow = (columns: Columns, diffVector: DiffVectorRow): CausalEffectRow => {
  const { direction, subset, control, parametersKey } = columns;
  const which = [direction, subset, control].map(slug).join('.');
  return { ...columns, key: `${diffVector.key}.causal.${which}.${parametersKey}`, diffVector };
};

export function causalEffectStore(
  sqlite: Connection,
  diffVectors: { findByKey(key: string): DiffVectorRow | undefined; demand(vector: DiffVectorRow): void },
) {
  const findColumns = finder(
    sqlite,
    causalEffects,
    'vector_id = ? and direction = ? and subset = ? and control = ? and parameters_key = ?',
  );
  const findControl = finder(
    sqlite,
    causalEffects,
    'vector_id = ? and conditions_key = ? and direction = ? and subset = ? and control = ? order by vectors desc, seed limit 1',
  );
  const insert = inserter(sqlite, causalEffects);
  const at = (
    vector: DiffVectorRow,
    { direction, subset, control }: Record<'direction' | 'subset' | 'control', string>,
    key: string,
  ): CausalEffectRow | undefined => {
    const columns = findColumns(vector.id, direction, subset, control, key);
    return columns && toRow(columns, vector);
  };

  const save = sqlite.transaction((records: readonly NewCausalEffect[]): CausalEffectRow[] => {
    const made = { engineVersion: packageVersion(), createdAt: new Date().toISOString() };
    return records.map((record) => {
      const { vector } = record;
      check(record);
      diffVectors.demand(vector);
      const keys = keysOf(record);
      const known = at(vector, record, keys.parametersKey);
      if (known) return known;
      insert({ ...record, ...made, ...keys, vectorId: vector.id });
      return at(vector, record, keys.parametersKey) as CausalEffectRow;
    });
  });

  return {
    /** The effect that this engine would compute, if it is there. */
    find: (vector: DiffVectorRow, spec: CausalEffectSpec): CausalEffectRow | undefined =>
      at(vector, spec, keysOf(spec).parametersKey),
    findByKey(key: string): CausalEffectRow | undefined {
      const parts = splitCausalEffectKey(key);
      const diffVector = parts && diffVectors.findByKey(parts.diffVector);
      return diffVector && at(diffVector, parts, parts.parametersKey);
    },
    /** The same with other vectors; the one over most of them, then of the lowest seed. */
    controlOf(effect: CausalEffectRow, control: CausalControl): CausalEffectRow | undefined {
      const { diffVector, conditionsKey, direction, subset } = effect;
      const columns = findControl(diffVector.id, conditionsKey, direction, subset, control);
      return columns && toRow(columns, diffVector);
    },
    /**
     * Writes effects, all of them or none. One that is there already is returned as it stands.
     * @throws InvalidResultError, NotFoundError
     */
    save: (records: readonly NewCausalEffect[]): CausalEffectRow[] => save.immediate(records),
    ofDiffVector: listing(sqlite, {
      name: 'diffVector.causalEffects',
      table: causalEffects,
      where:
        'vector_id = @vectorId and (@direction is null or direction = @direction)' +
        ' and (@subset is null or subset = @subset) and (@control is null or control = @control)',
      parameters: (diffVector: DiffVectorRow, { direction, subset, control }: CausalEffectFilters) => ({
        vectorId: diffVector.id,
        direction: direction ?? null,
        subset: subset ?? null,
        control: control ?? null,
      }),
      order: ['direction', 'subset', 'control', 'parametersKey'],
      row: toRow,
    }),
  };
}

function check(record: NewCausalEffect): void {
  const { oneOf, filled, number, whole, orNull, json, refuse } = checks(
    `causal effect of ${record.vector.key}`,
  );
  const { control, vectors, seed, intervenedLossDeviation: deviation } = record;
  oneOf('direction', record.direction, causalDirections);
  oneOf('subset', record.subset, causalSubsets);
  oneOf('control', control, causalControls);
  oneOf('mode', record.mode, modes);
  filled('corpusName', record.corpusName);
  filled('corpusDigest', record.corpusDigest);
  whole('vectors', vectors, 1);
  whole('count', record.count, 1);
  for (const name of ['baseLoss', 'finetunedLoss', 'intervenedLoss'] as const) number(name, record[name], 0);
  orNull(deviation, (value) => number('intervenedLossDeviation', value, 0));
  orNull(seed, (value) => whole('seed', value, 0));
  json('parameters', record.parameters);
  if (control === 'NONE' && vectors !== 1) refuse(`vectors is ${vectors}; without a control it is 1`);
  if (control !== 'NONE' && seed === null) refuse('a control needs the seed of its random vectors, not null');
}
