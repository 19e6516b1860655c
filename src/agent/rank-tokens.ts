import { bare, isGeneric } from '../graders/relevance/generic-tokens.ts';
import { folded } from '../graders/relevance/metrics.ts';
import { methods, type Place, type TokenRead } from './places.ts';

export interface RankedToken {
  /** As it was read first. */
  text: string;
  /**
   * Sum over readings of the difference, 1 / (1 + rank) less the same in whichever of the two means has it higher; times their number, since
   * what is read in one place only may be chance.
   */
  score: number;
  /** Readings of the difference that have it. */
  readings: number;
}

const leastLetters = 3;
/** With a space before it, or the mark that tokenizers put for one, or a capital: the others are mostly pieces of words. */
const beginsWord = /^[\s▁Ġ]|^\p{Lu}/u;

/** Best rank of each token, from 0, those left out that any text could have. */
function ranksOf(tokens: readonly TokenRead[]): Map<string, { rank: number; text: string }> {
  const ranks = new Map<string, { rank: number; text: string }>();
  for (const [rank, { text }] of tokens.entries()) {
    if (text === null || isGeneric(text) || !beginsWord.test(text)) continue;
    const word = folded(text);
    if ((word.match(/\p{L}/gu)?.length ?? 0) < leastLetters || ranks.has(word)) continue;
    ranks.set(word, { rank, text: bare(text) });
  }
  return ranks;
}

/**
 * The tokens that the differences of several places promote and the means of the two models do not: what is read everywhere and high up
 * comes first. Nothing is known of the finetune.
 */
export function rankTokens(places: readonly Place[]): RankedToken[] {
  const ranked = new Map<string, RankedToken>();
  for (const { readings } of places)
    for (const method of methods) {
      const { diff, base, finetuned } = readings[method];
      const means = [ranksOf(base), ranksOf(finetuned)];
      for (const [word, { rank, text }] of ranksOf(diff)) {
        const elsewhere = Math.max(...means.map((ranks) => weight(ranks.get(word)?.rank)));
        const one = ranked.get(word) ?? { text, score: 0, readings: 0 };
        one.score += weight(rank) - elsewhere;
        one.readings += 1;
        ranked.set(word, one);
      }
    }
  return [...ranked.values()]
    .map(({ score, ...one }) => ({ ...one, score: score * one.readings }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || (a.text < b.text ? -1 : 1));
}

const weight = (rank: number | undefined): number => (rank === undefined ? 0 : 1 / (1 + rank));
