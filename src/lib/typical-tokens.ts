export interface TypicalRule {
  /** Share of the collection's texts that must hold the token. */
  least: number;
  /** How many times as often as among the others. */
  ratio: number;
}

/** Tokens that one collection of texts has often and another seldom. Which texts: sentences, paragraphs, whatever is like in both. */
export function typicalTokens(
  texts: readonly (readonly number[])[],
  others: readonly (readonly number[])[],
  { least, ratio }: TypicalRule,
): Set<number> {
  const [own, elsewhere] = [shares(texts), shares(others)];
  return new Set(
    [...own].flatMap(([id, share]) =>
      share >= least && share >= ratio * (elsewhere.get(id) ?? 0) ? [id] : [],
    ),
  );
}

function shares(texts: readonly (readonly number[])[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const ids of texts) for (const id of new Set(ids)) counts.set(id, (counts.get(id) ?? 0) + 1);
  return new Map([...counts].map(([id, count]) => [id, count / texts.length]));
}
