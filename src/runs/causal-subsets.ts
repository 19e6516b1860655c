import type { CausalSubset, Mode } from '../db/index.ts';

/**
 * Which predictions count, by the token position they are made from: all; those from positions after `afterK`; all but the one
 * made from the vector's own position. The published implementation drops the one made from the position after that, where
 * texts are long enough to have it (method.md §9.4): mode COMPAT.
 */
export function columnSubset(
  subset: CausalSubset,
  columns: number,
  { afterK, position, mode }: { afterK: number; position: number; mode: Mode },
): boolean[] {
  const excluded = mode === 'COMPAT' ? position + 1 : position;
  const counts: Record<CausalSubset, (column: number) => boolean> = {
    ALL: () => true,
    AFTER_K: (column) => column > afterK,
    EXCLUDE_POSITION: (column) => column !== excluded,
  };
  return Array.from({ length: columns }, (_, column) => counts[subset](column));
}
