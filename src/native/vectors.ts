import { invalid } from './tokens.ts';

/** Several vectors of d_model values: a list of them, or all in one array, one after another. */
export type Vectors = readonly ArrayLike<number>[] | Float32Array;

/** @throws NativeError INVALID_ARGUMENT for another width, or a value that is not finite */
export function flattenVectors(vectors: Vectors, dModel: number): Float32Array {
  if (vectors instanceof Float32Array) {
    if (vectors.length % dModel !== 0) {
      throw invalid(`vectors hold ${vectors.length} values in all, not a multiple of dModel = ${dModel}`);
    }
    return finite(vectors, dModel);
  }
  if (!Array.isArray(vectors)) throw invalid('vectors must be a list of vectors, or a Float32Array of them');
  const flat = new Float32Array(vectors.length * dModel);
  for (const [i, vector] of (vectors as readonly (ArrayLike<number> | undefined)[]).entries()) {
    if (vector?.length !== dModel) {
      throw invalid(`vectors[${i}] has ${String(vector?.length)} values, the model has dModel = ${dModel}`);
    }
    flat.set(vector, i * dModel);
  }
  return finite(flat, dModel);
}

function finite(flat: Float32Array, dModel: number): Float32Array {
  const wrong = flat.findIndex((value) => !Number.isFinite(value));
  if (wrong < 0) return flat;
  const place = `vectors[${Math.trunc(wrong / dModel)}][${wrong % dModel}]`;
  throw invalid(`${place} is ${flat[wrong]}; a vector of finite values is expected`);
}
