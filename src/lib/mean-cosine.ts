/** Sum of vectors of one width, in float64. */
function total(vectors: readonly ArrayLike<number>[], width: number): Float64Array {
  const sum = new Float64Array(width);
  for (const vector of vectors)
    for (let d = 0; d < width; d++) sum[d] = (sum[d] as number) + (vector[d] as number);
  return sum;
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += (a[d] as number) * (b[d] as number);
  return sum;
};

/** Mean cosine over all pairs of one vector of each group, whose vectors have length 1: mean(A) · mean(B). NaN for an empty group. */
export function meanCosine(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): number {
  const width = a[0]?.length ?? 0;
  return dot(total(a, width), total(b, width)) / (a.length * b.length);
}

/** The same within one group over pairs of different vectors: a vector is no evidence of its likeness to itself. NaN below two. */
export function meanCosineWithin(group: readonly ArrayLike<number>[]): number {
  const width = group[0]?.length ?? 0;
  const sum = total(group, width);
  const selves = group.reduce((all, vector) => all + dot(vector, vector), 0);
  return (dot(sum, sum) - selves) / (group.length * (group.length - 1));
}
