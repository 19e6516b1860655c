/** Characters that a terminal may obey, that reorder a line or that do not show, apart from the plain space. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/gu;

/** Text from outside on one line of a terminal: what is in `unseen` escaped, so that it can neither steer nor hide. */
export const plain = (text: string): string =>
  text.replace(unseen, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);

/** JSON that says the same and is as safe to look at. */
export const plainJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replace(unseen, (c) => (c === '\n' ? c : escapeUnits(c)));

const escapeUnits = (character: string): string =>
  Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
  ).join('');
