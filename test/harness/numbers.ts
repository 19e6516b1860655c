import { createHash } from 'node:crypto';
import type { DiffResult } from '../../src/index.ts';

/** ‖a − b‖ / ‖b‖; NaN when a length differs. */
export function relativeL2(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length || b.length === 0) return NaN;
  let [error, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    error += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return size === 0 ? (error === 0 ? 0 : Infinity) : Math.sqrt(error / size);
}

/** The largest relative L2 over rows of `width`. */
export function worstRow(a: Float32Array, b: Float32Array, width: number): number {
  if (a.length !== b.length || b.length === 0) return NaN;
  let worst = 0;
  for (let at = 0; at < b.length; at += width) {
    worst = Math.max(worst, relativeL2(a.subarray(at, at + width), b.subarray(at, at + width)));
  }
  return worst;
}

/** The bits of an array, for comparing NaN too. */
export const bits = (values: Float32Array): string =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');

/** One digest over every vector of a result. */
export function digestOf({ meanDiff, baseMean, finetunedMean }: DiffResult): string {
  const hash = createHash('sha256');
  for (const vectors of [meanDiff, baseMean, finetunedMean]) hash.update(bits(vectors));
  return hash.digest('hex');
}
