import { canonicalJson } from '../../lib/canonical-json.ts';
import { onceEach } from '../../lib/once-each.ts';
import { packageVersion } from '../../lib/package-root.ts';
import type { Connection } from '../connection.ts';
import { checks } from '../checks.ts';
import { parametersKey, slug, splitProjectionKey } from '../keys.ts';
import { NotFoundError } from '../errors.ts';
import { projectionFields, projectionJoins, projectionSorts } from '../filters.ts';
import { type Asked, listing, mostCounted } from '../listing.ts';
import type { ProjectionRecord } from '../run-record.ts';
import { finder, inserter } from '../table-sql.ts';
import { tokenWriter, type WriteToken } from '../token-texts.ts';
import { modes, type Mode } from '../tables/modes.ts';
import {
  projections,
  projectionSigns,
  projectionVariants,
  type ProjectionSign,
  type ProjectionVariant,
} from '../tables/projections.ts';
import { listed, type Viewer } from '../visible.ts';
import type { DiffVectorRow } from './diff-vectors.ts';
import type { GraderRow } from './graders.ts';

type Columns = typeof projections.$inferSelect;
export type ProjectionRow = Columns & { key: string; diffVector: DiffVectorRow };

/** A reading of a vector that was stored before. */
export interface NewProjection extends ProjectionRecord {
  vector: DiffVectorRow;
  scale: number | null;
  chosen: boolean;
  score: number | null;
  mode: Mode;
}

/** What decides a reading, so that it can be looked for before anything is computed. */
export type ProjectionSpec = Pick<
  NewProjection,
  'vector' | 'method' | 'methodVersion' | 'variant' | 'sign' | 'scale' | 'mode' | 'parameters'
>;

export interface ProjectionFilters {
  method?: string | null | undefined;
  variant?: ProjectionVariant | null | undefined;
  sign?: ProjectionSign | null | undefined;
  scale?: number | null | undefined;
  chosen?: boolean | null | undefined;
  mode?: Mode | null | undefined;
}

/** `grader`: name or key of the one whose grades are ordered by. */
export interface AskedGraded extends Asked {
  grader?: string | null | undefined;
}

/** No row has null. */
export const graderId = (
  graders: { named(nameOrKey: string): GraderRow | undefined },
  nameOrKey: string | null | undefined,
): number | null => (typeof nameOrKey === 'string' ? (graders.named(nameOrKey)?.id ?? null) : null);

const toRow = (columns: Columns, diffVector: DiffVectorRow): ProjectionRow => ({
  ...columns,
  key: keyOf(columns, diffVector),
  diffVector,
});

function keyOf(
  { method, scale, variant, sign, mode, parametersKey }: Columns,
  { key }: DiffVectorRow,
): string {
  const reading = `${method}${scale === null ? '' : `@${scale}`}.${slug(variant)}.${slug(sign)}`;
  return `${key}.${reading}${mode === 'COMPAT' ? '.compat' : ''}${parametersKey === '' ? '' : `.${parametersKey}`}`;
}

const keyOfParameters = ({ methodVersion, parameters }: ProjectionSpec): string =>
  parametersKey({ methodVersion, parameters });

export function projectionStore(
  sqlite: Connection,
  viewer: Viewer,
  diffVectors: {
    findByKey(key: string): DiffVectorRow | undefined;
    loader(): (id: number) => DiffVectorRow;
    demand(vector: DiffVectorRow): void;
  },
  graders: { named(nameOrKey: string): GraderRow | undefined },
) {
  const reading = 'vector_id = ? and method = ? and variant = ? and sign = ?';
  const findById = finder(sqlite, projections, 'id = ?');
  const find = finder(
    sqlite,
    projections,
    `${reading} and scale_order = ? and mode = ? and parameters_key = ?`,
  );
  const findChosen = finder(
    sqlite,
    projections,
    `${reading} and mode = ? and parameters_key = ? and chosen = 1`,
  );
  const insert = inserter(sqlite, projections);
  const writer = tokenWriter(sqlite);

  const at = (spec: ProjectionSpec, key: string): Columns | undefined =>
    find(spec.vector.id, spec.method, spec.variant, spec.sign, spec.scale ?? 0, spec.mode, key);

  function known(spec: ProjectionSpec): ProjectionRow | undefined {
    const { vector, methodVersion, parameters } = spec;
    const ofRun = at(spec, '');
    const same =
      ofRun?.methodVersion === methodVersion && canonicalJson(ofRun.parameters) === canonicalJson(parameters);
    const columns = same ? ofRun : at(spec, keyOfParameters(spec));
    return columns && toRow(columns, vector);
  }

  function saveOne(record: NewProjection, createdAt: string, write: WriteToken): ProjectionRow {
    const { vector, method, variant, sign, mode, scale, chosen, tokens } = record;
    check(record);
    diffVectors.demand(vector);
    const existing = known(record);
    if (existing) return existing;
    const key = keyOfParameters(record);
    const other = chosen && findChosen(vector.id, method, variant, sign, mode, key);
    if (other) {
      checks(place(record)).refuse(
        `scale ${scale} is given as the chosen one, and so was ${other.scale}: only one can be`,
      );
    }
    const projectionId = insert({
      ...record,
      vectorId: vector.id,
      parametersKey: key,
      engineVersion: packageVersion(),
      createdAt,
    });
    tokens.forEach((token, rank) => write({ ...token, projectionId, rank }));
    return toRow(at(record, key) as Columns, vector);
  }
  const save = sqlite.transaction((records: readonly NewProjection[]): ProjectionRow[] => {
    const createdAt = new Date().toISOString();
    const write = writer();
    return records.map((record) => saveOne(record, createdAt, write));
  });

  return {
    /** This reading, if it is there. */
    find: known,
    /** Readings by their integer keys, each and what it belongs to read once. */
    loader(): (id: number) => ProjectionRow {
      const vector = diffVectors.loader();
      return onceEach((id) => {
        const columns = findById(id);
        if (!columns) throw new NotFoundError('projection', id);
        return toRow(columns, vector(columns.vectorId));
      });
    },
    findByKey(key: string): ProjectionRow | undefined {
      const parts = splitProjectionKey(key);
      const diffVector = parts && diffVectors.findByKey(parts.diffVector);
      if (!diffVector) return undefined;
      const { method, variant, sign, scaleOrder, mode, parametersKey } = parts;
      const columns = find(diffVector.id, method, variant, sign, scaleOrder, mode, parametersKey);
      return columns && toRow(columns, diffVector);
    },
    /**
     * Writes readings of stored vectors, all of them or none. One that is there already, by the same method, version,
     * parameters, mode and scale, is returned as it stands.
     * @throws InvalidResultError, NotFoundError
     */
    save: (records: readonly NewProjection[]): ProjectionRow[] => save.immediate(records),
    /** Those of every organism, in the order they were saved. */
    all: listing(sqlite, {
      name: 'projections',
      table: projections,
      where: listed(viewer, 'organisms'),
      parameters: (_: null, { grader }: AskedGraded) => ({ gradedBy: graderId(graders, grader) }),
      order: ['id'],
      row: (columns) => toRow(columns, diffVectors.loader()(columns.vectorId)),
      rows(all) {
        const vector = diffVectors.loader();
        return all.map((columns) => toRow(columns, vector(columns.vectorId)));
      },
      viewer,
      joins: projectionJoins(viewer),
      fields: projectionFields,
      sorts: projectionSorts,
      mostCounted,
    }),
    ofDiffVector: listing(sqlite, {
      name: 'diffVector.projections',
      table: projections,
      where:
        'vector_id = @vectorId and (@method is null or method = @method)' +
        ' and (@variant is null or variant = @variant) and (@sign is null or sign = @sign)' +
        ' and (@scale is null or scale = @scale) and (@chosen is null or chosen = @chosen)' +
        ' and (@mode is null or mode = @mode)',
      parameters: (
        diffVector: DiffVectorRow,
        { method, variant, sign, scale, chosen, mode }: ProjectionFilters,
      ) => ({
        vectorId: diffVector.id,
        method: method ?? null,
        variant: variant ?? null,
        sign: sign ?? null,
        scale: scale ?? null,
        chosen: typeof chosen === 'boolean' ? Number(chosen) : null,
        mode: mode ?? null,
      }),
      order: ['method', 'variant', 'sign', 'scaleOrder', 'mode', 'parametersKey'],
      row: toRow,
    }),
  };
}

const place = ({ vector, method }: NewProjection): string => `${method} of ${vector.key}`;

function check(record: NewProjection): void {
  const { name, whole, number, orNull, oneOf, json, refuse } = checks(place(record));
  const { method, methodVersion, variant, sign, mode, scale, score, chosen, parameters, tokens } = record;
  name('method', method);
  whole('methodVersion', methodVersion, 1);
  oneOf('variant', variant, projectionVariants);
  oneOf('sign', sign, projectionSigns);
  oneOf('mode', mode, modes);
  orNull(score, (value) => number('score', value));
  json('parameters', parameters);
  if (scale !== null && !(Number.isFinite(scale) && scale > 0))
    refuse(`scale is ${scale}, null or a finite number above 0 is expected`);
  if (scale === null && !chosen) refuse('without a scale there is nothing to choose; chosen must be true');
  tokens.forEach(({ tokenId, probability }, rank) => {
    whole(`tokens[${rank}].tokenId`, tokenId, 0);
    number(`tokens[${rank}].probability`, probability, 0, 1);
  });
}
