import type {
  DiffVectorRow,
  Mode,
  ProjectionRow,
  ProjectionSign,
  ProjectionVariant,
  Store,
} from '../db/index.ts';

export interface ReadingOf {
  method: string;
  variant: ProjectionVariant;
  sign: ProjectionSign;
  /** Of methods that know scales; the chosen one when absent. */
  scale?: number | undefined;
  /** EXACT where there are both when absent. */
  mode?: Mode | undefined;
}

/**
 * The reading of a vector to look at: one method may have read it several times, in two modes or with other parameters, and then
 * the newest EXACT one is taken. Undefined where the method did not read it, or not at this scale.
 */
export function chosenReading(
  store: Pick<Store, 'projections'>,
  vector: DiffVectorRow,
  { scale, ...wanted }: ReadingOf,
): ProjectionRow | undefined {
  const at = scale === undefined ? { chosen: true } : { scale };
  const [reading] = store.projections.ofDiffVector
    .page(vector, { ...wanted, ...at }, { first: 100_000 })
    .rows.sort(
      (a, b) =>
        Number(a.mode === 'COMPAT') - Number(b.mode === 'COMPAT') || b.createdAt.localeCompare(a.createdAt),
    );
  return reading;
}
