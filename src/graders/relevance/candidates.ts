/** A token to be judged, strongest first in its list. */
export interface Candidate {
  /** Decoded alone, spaces kept. */
  text: string;
  /** What the reading gave it, 0 to 1. */
  probability: number;
}

/** As published. */
export const candidatesJudged = 20;

/** Of the first tokens of a list, those that have a text. */
export const candidatesOf = (
  tokens: readonly { text: string | null; probability: number | null }[],
  most = candidatesJudged,
): Candidate[] =>
  tokens
    .slice(0, most)
    .flatMap(({ text, probability }) =>
      text === null || text === '' ? [] : [{ text, probability: probability ?? 0 }],
    );
