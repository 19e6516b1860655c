import { stopWords } from '../graders/relevance/generic-tokens.ts';
import { logOdds } from '../graders/relevance/log-odds.ts';

/** Words of a text by which it can be told from others: letters only, in lower case, without those that any text has. */
export const contentWords = (text: string): string[] =>
  (text.toLowerCase().match(/\p{L}+/gu) ?? []).filter(
    (word) => word.length >= leastLetters && !stopWords.has(word),
  );

const leastLetters = 3;
/** Of the prior, in words: few, since there are few texts. */
const priorStrength = 10;
/** One word said once proves nothing. */
export const leastCount = 2;

export interface TypicalWord {
  word: string;
  /** Log-odds against the other texts, in its standard errors. */
  z: number;
  count: number;
}

/** What these texts say more often than the others do, most telling first. */
export function typicalWords(texts: readonly string[], others: readonly string[]): TypicalWord[] {
  const [own, other] = [countsOf(texts), countsOf(others)];
  if (own.size === 0) return [];
  const found = logOdds(own, other, priorStrength);
  return [...own]
    .map(([word, count]) => ({ word, count, z: found.get(word)?.z ?? 0 }))
    .filter(({ count, z }) => count >= leastCount && z > 0)
    .sort((a, b) => b.z - a.z || (a.word < b.word ? -1 : 1));
}

/** How often these texts have each of their content words. */
export function countsOf(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of texts.flatMap(contentWords)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
