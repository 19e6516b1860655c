/** A text as a reader takes it in, whatever it is disguised as, and where in the original each character is from. */
export interface Folded {
  text: string;
  /** Of each character: where what it is from begins in the original, and where that ends. */
  starts: readonly number[];
  ends: readonly number[];
  /** Whether something was left out before each character; one more for the end. Both ends of the text count as that. */
  gaps: readonly boolean[];
}

export type Letters = 'CASED' | 'CASELESS';

/** What a reader does not see, and marks upon letters; a backslash, which Markdown and JSON put before what it does not change. */
const unseen = /[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Mn}\p{Me}\\]|(?!\s)\p{Cc}/u;
const dash = /[\p{Pd}\u2212]/gu;

/** In the plainest letters; full width, ligatures and accents undone. */
const plainest = (letter: string): string => letter.normalize('NFKD').replace(dash, '-');
/** Letters of one case, by way of capitals: ß is ss, final sigma is sigma. */
const caseless = (letters: string): string => letters.toUpperCase().toLowerCase().normalize('NFKD');

/** Of letters that have been met: what becomes of them, and whether a part was left out. */
const met: Record<Letters, Map<string, { text: string; isLess: boolean }>> = {
  CASED: new Map(),
  CASELESS: new Map(),
};

function foldedLetter(letter: string, letters: Letters): { text: string; isLess: boolean } {
  const before = met[letters].get(letter);
  if (before) return before;
  const plain = plainest(letter);
  const all = [...(letters === 'CASED' ? plain : caseless(plain))];
  const seen = all.filter((one) => !unseen.test(one));
  const folded = { text: seen.join('').replace(/\s+/gu, ' '), isLess: seen.length < all.length };
  met[letters].set(letter, folded);
  return folded;
}

/**
 * Folds a text: compatible forms are one, marks and what is not seen are left out, every dash is a hyphen, white space is one space.
 * @param letters CASELESS makes capitals small, too
 */
export function fold(text: string, letters: Letters): Folded {
  let folded = '';
  const [starts, ends]: [number[], number[]] = [[], []];
  const gaps = [true];
  let at = 0;
  for (const letter of text) {
    const next = at + letter.length;
    const { text: plain, isLess } = foldedLetter(letter, letters);
    if (plain === ' ' && folded.endsWith(' ')) ends[ends.length - 1] = next;
    else
      for (const unit of plain.split('')) {
        folded += unit;
        starts.push(at);
        ends.push(next);
        gaps.push(false);
      }
    if (isLess) gaps[gaps.length - 1] = true;
    at = next;
  }
  gaps[gaps.length - 1] = true;
  return { text: folded, starts, ends, gaps };
}
