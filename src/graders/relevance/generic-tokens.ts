/** English words that say nothing of a finetune: method.md §8.2. */
export const stopWords: ReadonlySet<string> = new Set(
  (
    'the and or but in on at to for of with by from up about into through during before after above below between among ' +
    'is are was were be been being have has had do does did will would could should may might must can ' +
    'this that these those a an ing'
  ).split(' '),
);

const suffixes: ReadonlySet<string> = new Set(["'s", "'t", "'re", "'ve", "'ll", "'d", "'m", 'ing']);

/** A piece without the marks that tokenizers put for a space, and without space around it. */
export const bare = (piece: string): string => piece.replace(/[▁Ġ]/gu, '').trim();

/**
 * Tells pieces that are in any text: a single character or none, nothing but punctuation, an English suffix or a stop word. As
 * published: a newline's mark (Ċ) counts as a letter.
 */
export function isGeneric(piece: string): boolean {
  const text = bare(piece);
  return (
    [...text].length <= 1 ||
    /^[^\p{L}\p{N}_\s]+$/u.test(text) ||
    suffixes.has(text) ||
    stopWords.has(text.toLowerCase())
  );
}
