import type { DiffHead, DiffVectorRow, Stores } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import { float32Values } from '../lib/float32-bytes.ts';
import { cosine } from '../lib/vector-math.ts';
import { nearest as native } from '../native/index.ts';
import { numbersOf } from './stored-run.ts';

/** A diff vector that points another one's way. */
export interface Neighbour {
  diffVector: DiffVectorRow;
  /** −1..1. */
  cosine: number;
}

/** A way to find, among vectors [n · width], the k of the largest cosine with a query, without those that have none. */
export type Nearest = (
  query: Float32Array,
  vectors: Float32Array,
  k: number,
) => { index: number; cosine: number }[];

/** Bytes of vectors that lie in memory together. */
const chunkBytes = 8 * 2 ** 20;

/**
 * The k diffs among the candidates with the largest cosine, largest first, the earlier candidate before. Candidates have the
 * width of the vector. None for a vector that is zero or not finite.
 */
export function nearestVectors(
  store: Stores,
  vector: DiffVectorRow,
  candidates: readonly DiffHead[],
  k: number,
  nearest: Nearest = native,
): Neighbour[] {
  const query = numbersOf(store, vector);
  const width = query.length;
  if (k === 0 || cosine(query, query) === null) return [];
  const atOnce = Math.max(1, Math.floor(chunkBytes / query.byteLength));
  let best: { index: number; cosine: number }[] = [];
  for (let from = 0; from < candidates.length; from += atOnce) {
    const chunk = candidates.slice(from, from + atOnce);
    const vectors = new Float32Array(chunk.length * width);
    chunk.forEach((head, i) => vectors.set(float32Values(store.vectors.read(head)), i * width));
    const found = nearest(query, vectors, k).map((near) => ({ ...near, index: near.index + from }));
    best = [...best, ...found].sort((a, b) => b.cosine - a.cosine || a.index - b.index).slice(0, k);
  }
  return best.map(({ index, cosine }) => ({
    diffVector: store.diffVectors.findByKey((candidates[index] as DiffHead).place) as DiffVectorRow,
    cosine,
  }));
}

/**
 * Cosine of the diffs at two places, −1..1; null when either is zero or not finite.
 * @throws CodedError WIDTH_MISMATCH when they are of different widths
 */
export function cosineOf(store: Stores, a: DiffVectorRow, b: DiffVectorRow): number | null {
  const [widthOfA, widthOfB] = [a.layer.run.dModel, b.layer.run.dModel];
  if (widthOfA !== widthOfB) {
    throw new CodedError(
      'WIDTH_MISMATCH',
      `${a.key} has ${widthOfA} numbers and ${b.key} has ${widthOfB}; only vectors of one width have an angle`,
    );
  }
  return cosine(numbersOf(store, a), numbersOf(store, b));
}
