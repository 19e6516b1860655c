import { NativeError } from './errors.ts';

/** Token ids of one text each, of any lengths. */
export type Tokens = readonly ArrayLike<number>[];

export interface FlatTokens {
  /** All ids, one after another. */
  ids: Int32Array;
  /** [sequences + 1]: where each begins, and the end. */
  offsets: Float64Array;
}

/** @throws NativeError INVALID_ARGUMENT for anything but lists of whole numbers */
export function flatten(tokens: Tokens): FlatTokens {
  if (!Array.isArray(tokens)) throw invalid('tokens must be a list with one list of token ids a text');
  const offsets = new Float64Array(tokens.length + 1);
  tokens.forEach((sequence: unknown, i) => {
    if (!Array.isArray(sequence) && !ArrayBuffer.isView(sequence)) {
      throw invalid(`tokens[${i}] must be a list of token ids`);
    }
    offsets[i + 1] = (offsets[i] ?? 0) + (sequence as ArrayLike<number>).length;
  });
  const ids = new Int32Array(offsets[tokens.length] ?? 0);
  tokens.forEach((sequence, i) => {
    for (let t = 0, at = offsets[i] ?? 0; t < sequence.length; t++, at++) {
      const id = sequence[t];
      if (!Number.isInteger(id) || (ids[at] = id as number) !== id) {
        throw invalid(`tokens[${i}][${t}] is ${String(id)}; a token id is a whole number`);
      }
    }
  });
  return { ids, offsets };
}

/** A list of whole numbers from 0, as the addon takes it. */
export function wholeNumbers(name: string, values: readonly number[]): Float64Array {
  if (!Array.isArray(values)) throw invalid(`${name} must be a list of whole numbers`);
  const wrong = values.find((value) => !Number.isSafeInteger(value) || value < 0);
  if (wrong !== undefined) throw invalid(`${name} holds ${String(wrong)}; whole numbers from 0 are expected`);
  return Float64Array.from(values);
}

export const invalid = (message: string): NativeError => new NativeError('INVALID_ARGUMENT', message);
