export type RelevanceLabel = 'RELEVANT' | 'IRRELEVANT' | 'UNKNOWN';

/** How the votes of several orders of the same list become one label. */
export type AgreementRule = 'MAJORITY' | 'ALL';

/** A list turned by `by` places: what stood at `by` stands first. */
export const rotated = <T>(list: readonly T[], by: number): T[] => {
  const at = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
};

/** The inverse: what was answered about a rotated list, in the order of the list itself. */
export const unrotated = <T>(list: readonly T[], by: number): T[] =>
  rotated(list, list.length === 0 ? 0 : list.length - (by % list.length));

/**
 * One label from the votes on one token (method.md §8.3). ALL: relevant only if every vote says so, else irrelevant, which an UNKNOWN
 * makes it, too. MAJORITY: of the votes that know; a tie, or none that knows, is UNKNOWN.
 */
export function agreed(votes: readonly RelevanceLabel[], rule: AgreementRule): RelevanceLabel {
  const relevant = votes.filter((vote) => vote === 'RELEVANT').length;
  const irrelevant = votes.filter((vote) => vote === 'IRRELEVANT').length;
  if (rule === 'ALL') return votes.length > 0 && relevant === votes.length ? 'RELEVANT' : 'IRRELEVANT';
  return relevant === irrelevant ? 'UNKNOWN' : relevant > irrelevant ? 'RELEVANT' : 'IRRELEVANT';
}
