import { canonicalJson } from './canonical-json.ts';
import { sha256 } from './sha256.ts';

/**
 * A seed of its own for one of the uses that a seed is put to, named by words and indices: whole, from 0, 52 bits. Neighbouring
 * seeds and neighbouring uses have nothing in common, as seed + 1 for the next use would.
 */
export const derivedSeed = (seed: number, ...use: readonly (string | number)[]): number =>
  Number.parseInt(sha256(canonicalJson([seed, ...use])).slice(0, 13), 16);
