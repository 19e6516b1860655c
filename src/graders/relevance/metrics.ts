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
  /** Both shares among the candidates that the choice of the scale selected; null where it selected none of them. */
  filteredPercentage: number | null;
  weightedFilteredPercentage: number | null;
}

/** A text in which spaces around it and case make no difference. */
export const folded = (text: string): string => bare(text).toLowerCase();

/**
 * What the labels of a list come to (method.md §8.4). EXACT tells frequent tokens whatever their case and leading space; COMPAT compares the
 * decoded candidate with the marked piece, as published, and so misses every word that has a space before it; and likewise for selected tokens.
 * @param selected tokens that belong together by the choice of the scale, each as often as it is meant
 * @throws RangeError where there is nothing to judge, or not one label a candidate
 */
export function relevanceMetrics(
  candidates: readonly Candidate[],
  labels: readonly RelevanceLabel[],
  frequent: readonly { piece: string }[],
  { rule = 'EXACT', selected = [] }: { rule?: ReplyRule; selected?: readonly string[] } = {},
): RelevanceMetrics {
  const count = candidates.length;
  if (count === 0 || labels.length !== count)
    throw new RangeError(
      `${labels.length} labels for ${count} candidates; one each, and at least one, are expected`,
    );
  const form = rule === 'EXACT' ? folded : (text: string) => text;
  const known = new Set(frequent.map(({ piece }) => form(piece)));
  const isRelevant = candidates.map((_, i) => labels[i] === 'RELEVANT');
  const isSelected = membership(
    candidates,
    selected,
    rule === 'EXACT' ? (text) => text.trim() : (text) => text,
  );
  const weight = (which: readonly boolean[]) =>
    candidates.reduce((sum, { probability }, i) => sum + (which[i] ? probability : 0), 0);
  const size = (which: readonly boolean[]) => which.filter(Boolean).length;
  const everything = candidates.map(() => true);
  const selectedRelevant = isRelevant.map((relevant, i) => relevant && isSelected[i] === true);
  return {
    candidates: count,
    relevant: size(isRelevant),
    unknown: labels.filter((label) => label === 'UNKNOWN').length,
    percentage: size(isRelevant) / count,
    weightedPercentage: share(weight(isRelevant), weight(everything)),
    trivialPercentage: size(candidates.map(({ text }) => known.has(form(text)))) / count,
    filteredPercentage: share(size(selectedRelevant), size(isSelected)),
    weightedFilteredPercentage: share(weight(selectedRelevant), weight(isSelected)),
  };
}

const share = (part: number, whole: number): number | null => (whole > 0 ? part / whole : null);

/** Which candidates are in a multiset: of equal ones as many as it has, the first. */
function membership(
  candidates: readonly Candidate[],
  selected: readonly string[],
  form: (text: string) => string,
): boolean[] {
  const left = new Map<string, number>();
  for (const text of selected) left.set(form(text), (left.get(form(text)) ?? 0) + 1);
  return candidates.map(({ text }) => {
    const count = left.get(form(text)) ?? 0;
    left.set(form(text), count - 1);
    return count > 0;
  });
}
