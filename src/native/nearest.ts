import { addon } from './addon.ts';
import { invalid, whole } from './tokens.ts';

export interface Neighbour {
  /** Which vector, from 0. */
  index: number;
  /** −1 to 1. */
  cosine: number;
}

/**
 * The k vectors [n · width] with the largest cosine to a query of `width` values, in float64 on all threads. Vectors that are
 * zero or not finite have no cosine and are left out.
 * @throws NativeError INVALID_ARGUMENT
 */
export function nearest(query: ArrayLike<number>, vectors: Float32Array, k: number): Neighbour[] {
  if (query.length === 0 || vectors.length % query.length !== 0) {
    throw invalid(
      `vectors hold ${vectors.length} values in all, not a multiple of the query's ${query.length}`,
    );
  }
  whole('k', k, 1);
  const { indices, cosines } = addon().nearest(Float32Array.from(query), vectors, k);
  return Array.from(indices, (index, i) => ({ index, cosine: cosines[i] ?? Number.NaN }));
}

/** The cosine of two vectors of equal width, −1 to 1; NaN when one is zero or not finite. @throws NativeError INVALID_ARGUMENT */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw invalid(`vectors of ${a.length} and ${b.length} values have no cosine`);
  return nearest(a, Float32Array.from(b), 1)[0]?.cosine ?? Number.NaN;
}
