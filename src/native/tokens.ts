import { NativeError } from './errors.ts';

/** Token ids of one text each, of any lengths. */
export type Tokens = readonly ArrayLike<number>[];

export interface FlatTokens {
  /** All ids, one after another. */
  ids: Int32Array;
  /** [sequences + 1]: where each begins, and the end. */
  offsets: Float64Array;
}

const largestId = 2 ** 31 - 1;

const isList = (value: unknown): value is ArrayLike<number> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

/** @throws NativeError INVALID_ARGUMENT for anything but lists of whole numbers */
export function flatten(tokens: Tokens): FlatTokens {
  if (!Array.isArray(tokens)) throw invalid('tokens must be a list with one list of token ids a text');
  const offsets = new Float64Array(tokens.length + 1);
  let length = 0;
  for (const [i, sequence] of tokens.entries()) {
    if (!isList(sequence)) throw invalid(`tokens[${i}] must be a list of token ids`);
    offsets[i + 1] = length += sequence.length;
  }
  const ids = new Int32Array(length);
  let at = 0;
  for (const [i, sequence] of tokens.entries()) {
    for (let t = 0; t < sequence.length; t++) {
      const id: unknown = sequence[t];
      if (!Number.isInteger(id) || (id as number) < 0 || (id as number) > largestId) {
        throw invalid(`tokens[${i}][${t}] is ${String(id)}; a token id is a whole number from 0`);
      }
      ids[at++] = id as number;
    }
  }
  return { ids, offsets };
}

/** A list of whole numbers from 0, as the addon takes it. */
export function wholeNumbers(name: string, values: readonly number[]): Float64Array {
  if (!Array.isArray(values)) throw invalid(`${name} must be a list of whole numbers`);
  const wrong = values.findIndex((value) => !Number.isSafeInteger(value) || value < 0);
  if (wrong >= 0) throw invalid(`${name} holds ${String(values[wrong])}; whole numbers from 0 are expected`);
  return Float64Array.from(values);
}

/** A whole number from `low` on, up to `high` where there is one. @throws NativeError INVALID_ARGUMENT naming it */
export function whole(name: string, value: unknown, low: number, high?: number): number {
  const most = high ?? Number.MAX_SAFE_INTEGER;
  if (Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= most)
    return value as number;
  const range = high === undefined ? `from ${low}` : `from ${low} to ${high}`;
  throw invalid(`${name} is ${String(value)}; a whole number ${range} is expected`);
}

export const invalid = (message: string): NativeError => new NativeError('INVALID_ARGUMENT', message);
