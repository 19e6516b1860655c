const incomplete = '\ufffd';
/** A character has at most four bytes; more than this many tokens without an end are no character. */
const mostPending = 8;

/**
 * Turns the tokens of one text into pieces of it, as they come: each call gives what its token adds, '' while a character is
 * incomplete. Tokens are decoded behind those before them, because the first one of a text can lose a space.
 */
export function streamDecoder(decode: (ids: readonly number[]) => string): (id: number) => string {
  let before: number[] = []; // the last tokens that were given out
  let pending: number[] = [];
  return (id) => {
    pending.push(id);
    const text = decode([...before, ...pending]);
    if (text.endsWith(incomplete) && pending.length < mostPending) return '';
    const piece = text.slice(decode(before).length);
    before = pending;
    pending = [];
    return piece;
  };
}
