import { cosine } from './vector-math.ts';

/** A vector by its index, and the cosine of its angle with what was asked for. */
export interface Near {
  index: number;
  cosine: number;
}

/** A way to find, among vectors [n · width], the k of the largest cosine with a query, largest first, the lower index before. */
export type Nearest = (query: Float32Array, vectors: Float32Array, k: number) => Near[];

/** In float64, one vector after the other. What is zero or not finite has no angle and is left out. */
export const nearest: Nearest = (query, vectors, k) => {
  const found: Near[] = [];
  for (let index = 0; (index + 1) * query.length <= vectors.length; index++) {
    const angle = cosine(query, vectors.subarray(index * query.length, (index + 1) * query.length));
    if (angle !== null) found.push({ index, cosine: angle });
  }
  return found.sort((a, b) => b.cosine - a.cosine || a.index - b.index).slice(0, k);
};
