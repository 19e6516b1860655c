import type { Tokenizer } from '../../tokenizer/index.ts';
import { isGeneric } from './generic-tokens.ts';

/** Texts of a corpus, one by one. */
export type Texts = Iterable<string> | AsyncIterable<string>;

/** Counts the tokens of one more text. */
export function addTokens(
  counts: Map<number, number>,
  text: string,
  tokenizer: Pick<Tokenizer, 'encode'>,
): void {
  for (const id of tokenizer.encode(text, { special: false })) counts.set(id, (counts.get(id) ?? 0) + 1);
}

/** How often each token id stands in some texts; ids in the order they were first seen. */
export async function countTokens(
  texts: Texts,
  tokenizer: Pick<Tokenizer, 'encode'>,
  signal?: AbortSignal,
): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  for await (const text of texts) {
    signal?.throwIfAborted();
    addTokens(counts, text, tokenizer);
  }
  return counts;
}

export interface FrequentToken {
  tokenId: number;
  /** As the vocabulary writes it, with marks for spaces. */
  piece: string;
  count: number;
}

/** As published. */
const published = { most: 100, leastCount: 10 };

/**
 * The tokens that a finetuning corpus has most often, generic ones left out: method.md §8.2. Of equal counts, the one seen first is first.
 * @param counts by countTokens
 */
export function frequentTokens(
  counts: ReadonlyMap<number, number>,
  tokenizer: Pick<Tokenizer, 'piece'>,
  { most, leastCount } = published,
): FrequentToken[] {
  return [...counts]
    .map(([tokenId, count]) => ({ tokenId, piece: tokenizer.piece(tokenId) ?? '', count }))
    .filter(({ piece, count }) => count >= leastCount && !isGeneric(piece))
    .sort((a, b) => b.count - a.count)
    .slice(0, most);
}
