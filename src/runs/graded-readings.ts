import type {
  DiffVectorRow,
  GradeRow,
  GraderRow,
  ProjectionRow,
  ProjectionVariant,
  RunLayerRow,
  RunRow,
  Store,
} from '../db/index.ts';
import { projectionVariants } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import { chosenReading } from './chosen-reading.ts';
import { layerOf, vectorsOf, type WorkOptions } from './stored-run.ts';

export interface GradeRunOptions extends Omit<WorkOptions, 'threads'> {
  /** How the vectors were read; Patchscope when left out. */
  method?: string | undefined;
  layer?: number | undefined;
  /** All that were read when left out. */
  positions?: readonly number[] | undefined;
}

export interface GradedReading {
  projection: ProjectionRow;
  grade: GradeRow;
}

export interface GradedRun {
  grader: GraderRow;
  layer: RunLayerRow;
  method: string;
  /** [position] What the diff and the two means were read as, each with its grade; null for what was not read. */
  positions: { vector: DiffVectorRow; readings: Record<ProjectionVariant, GradedReading | null> }[];
  /** The store had all of them already. */
  reused: boolean;
}

/** What is to be graded of a layer: at each position that was read, the readings of the diff and of the two means. */
export interface Readings {
  layer: RunLayerRow;
  method: string;
  places: { vector: DiffVectorRow; projections: ProjectionRow[] }[];
}

/**
 * The readings to look at of a run's layer, as `choose` has it: by default the scale that the method chose itself.
 * @throws CodedError NOT_FOUND naming what there is
 */
export function readingsOf(
  store: Store,
  run: RunRow,
  { method = 'patchscope', ...options }: GradeRunOptions,
  choose: (reading: ProjectionRow) => ProjectionRow = (reading) => reading,
): Readings {
  const layer = layerOf(store, run, options.layer);
  const places = vectorsOf(store, layer, options.positions).flatMap((vector) => {
    const of = projectionVariants.flatMap(
      (variant) => chosenReading(store, vector, { method, variant, sign: 'PROMOTED' }) ?? [],
    );
    return of.length === 0 ? [] : [{ vector, projections: of.map(choose) }];
  });
  if (places.length === 0) throw unread(store, layer, method);
  return { layer, method, places };
}

/** Readings with their grades, as a command shows them. They count as asked for now. */
export function gradedRun(
  store: Store,
  { layer, method, places }: Readings,
  grader: GraderRow,
  gradeOf: (projection: ProjectionRow) => GradeRow | undefined,
  reused: boolean,
): GradedRun {
  const positions = places.map(({ vector, projections }) => {
    const of = (variant: ProjectionVariant): GradedReading | null => {
      const projection = projections.find((row) => row.variant === variant);
      const grade = projection && gradeOf(projection);
      return projection && grade ? { projection, grade } : null;
    };
    return { vector, readings: { DIFF: of('DIFF'), BASE: of('BASE'), FINETUNED: of('FINETUNED') } };
  });
  store.grades.askedAgain(
    positions.flatMap(({ readings }) =>
      projectionVariants.flatMap((variant) => readings[variant]?.grade ?? []),
    ),
  );
  return { grader, layer, method, positions, reused };
}

/** Says what there is instead of a reading that nothing has. */
function unread(store: Store, layer: RunLayerRow, method: string): CodedError {
  const everything = { first: 100_000 };
  const there = vectorsOf(store, layer, undefined).flatMap(
    (vector) => store.projections.ofDiffVector.page(vector, {}, everything).rows,
  );
  const methods = [...new Set(there.map((row) => row.method))].join(', ');
  return new CodedError(
    'NOT_FOUND',
    `layer ${layer.layer} of run ${layer.run.key} was not read by "${method}" at the positions asked for; it was read by ${methods || 'nothing'}`,
  );
}
