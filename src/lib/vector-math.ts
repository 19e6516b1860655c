/** Sum of a[i] · b[i] in float64, in index order. */
function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

/** Euclidean length in float64. NaN or Infinity when a component is. */
export const l2Norm = (a: Float32Array): number => Math.sqrt(dot(a, a));

/** Cosine of the angle, -1..1; null when either vector is zero or not finite, where no angle exists. */
export function cosine(a: Float32Array, b: Float32Array): number | null {
  const value = dot(a, b) / (l2Norm(a) * l2Norm(b));
  return Number.isFinite(value) ? Math.max(-1, Math.min(1, value)) : null;
}
