import type { DiffHead, DiffVectorRow, Stores } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import { copyFloat32 } from '../lib/float32-bytes.ts';
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

/** Vectors that lie in memory together, and their bytes. */
const mostAtOnce = 4096;
const mostBytesAtOnce = 8 * 2 ** 20;

/**
 * The k diffs among the candidates with the largest cosine, largest first, the earlier candidate before. Candidates have the
 * width of the vector; they are taken and read a few MiB at a time, however many there are, and `onRead` is told how many are read
 * next. None for a vector that is zero or not finite.
 */
export function nearestVectors(
  store: Stores,
  vector: DiffVectorRow,
  candidates: Iterable<DiffHead>,
  k: number,
  { nearest = native, onRead }: { nearest?: Nearest; onRead?: (vectors: number) => void } = {},
): Neighbour[] {
  const query = numbersOf(store, vector);
  const width = query.length;
  if (k === 0 || cosine(query, query) === null) return [];
  const atOnce = Math.min(mostAtOnce, Math.max(1, Math.floor(mostBytesAtOnce / query.byteLength)));
  const held = new Float32Array(atOnce * width);
  let best: { head: DiffHead; cosine: number }[] = [];
  for (const chunk of chunksOf(candidates, atOnce)) {
    onRead?.(chunk.length);
    for (const [i, bytes] of store.vectors.readEach(chunk)) copyFloat32(bytes, held, width * i);
    const found = nearest(query, held.subarray(0, width * chunk.length), k).map(({ index, cosine }) => ({
      head: chunk[index] as DiffHead,
      cosine,
    }));
    // Stable: of equal cosines the earlier candidate stays before.
    best = [...best, ...found].sort((a, b) => b.cosine - a.cosine).slice(0, k);
  }
  return best.map(({ head, cosine }) => ({
    diffVector: store.diffVectors.findByKey(head.place) as DiffVectorRow,
    cosine,
  }));
}

function* chunksOf<T>(all: Iterable<T>, size: number): Generator<T[]> {
  let chunk: T[] = [];
  for (const one of all) {
    if (chunk.push(one) < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
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
