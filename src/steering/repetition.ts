const gram = 4;

/** Share of a text's runs of four tokens that stand in it before; 0 for fewer tokens. */
export function repetition(ids: ArrayLike<number>): number {
  const runs = ids.length - gram + 1;
  if (runs < 1) return 0;
  const seen = new Set<string>();
  for (let i = 0; i < runs; i++) seen.add(Array.prototype.slice.call(ids, i, i + gram).join(' '));
  return 1 - seen.size / runs;
}
