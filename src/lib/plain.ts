/** Characters that a terminal may obey, that reorder a line or that do not show, apart from the plain space. */
export const unseen =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/gu;

/** Text from outside on one line: what is in `unseen` escaped, so that it can neither steer nor hide. */
export const plain = (text: string): string =>
  text.replace(unseen, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
