import { bare } from './generic-tokens.ts';
import type { Candidate } from './candidates.ts';
import type { ReplyRule } from '../define-grader.ts';
import type { RelevanceLabel } from './votes.ts';

/** Shares of one list of candidates, 0 to 1 each. */
export interface RelevanceMetrics {
  candidates: number;
  relevant: number;
  unknown: number;
  /** Relevant ones among all. */
  percentage: number;
  /** The same, each with its probability for weight; null where all weights are 0. */
  weightedPercentage: number | null;
  /** Candidates that are among the frequent tokens of the finetuning corpus, whatever a grader says. */
  trivialPercentage: number;
}

/** A text in which spaces around it and case make no difference. */
export const folded = (text: string): string => bare(text).toLowerCase();

/**
 * What the labels of a list come to (method.md §8.4). EXACT tells frequent tokens whatever their case and leading space; COMPAT compares the
 * decoded candidate with the marked piece, as published, and so misses every word that has a space before it.
 * @throws RangeError where there is nothing to judge, or not one label a candidate
 */
export function relevanceMetrics(
  candidates: readonly Candidate[],
  labels: readonly RelevanceLabel[],
  frequent: readonly { piece: string }[],
  rule: ReplyRule = 'EXACT',
): RelevanceMetrics {
  const count = candidates.length;
  if (count === 0 || labels.length !== count)
    throw new RangeError(
      `${labels.length} labels for ${count} candidates; one each, and at least one, are expected`,
    );
  const form = rule === 'EXACT' ? folded : (text: string) => text;
  const known = new Set(frequent.map(({ piece }) => form(piece)));
  const of = (which: (candidate: Candidate, i: number) => boolean) => candidates.filter(which);
  const weight = (some: readonly Candidate[]) => some.reduce((sum, { probability }) => sum + probability, 0);
  const relevant = of((_, i) => labels[i] === 'RELEVANT');
  const all = weight(candidates);
  return {
    candidates: count,
    relevant: relevant.length,
    unknown: labels.filter((label) => label === 'UNKNOWN').length,
    percentage: relevant.length / count,
    weightedPercentage: all > 0 ? weight(relevant) / all : null,
    trivialPercentage: of(({ text }) => known.has(form(text))).length / count,
  };
}
