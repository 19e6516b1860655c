/** Letters and colons of other scripts that are drawn like Latin ones: Cyrillic, Greek, then single letters and colons. */
const drawn: readonly (readonly [string, string])[] = [
  ['АВЕЅІЈКМНОРСТУХаеѕіјорсухһԁԛԝӏ', 'ABESIJKMHOPCTYXaesijopcyxhdqwl'],
  ['ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαιορυν', 'ABEZHIKMNOPTYXaiopuv'],
  ['ıɑɡ꞉ː∶։׃', 'iag:::::'],
];
const latin = new Map(
  drawn.flatMap(([letters, twins]) => [...letters].map((letter, i) => [letter, twins[i] as string] as const)),
);

/** A text as a reader takes it who looks at shapes alone. */
export interface Seen {
  text: string;
  /** Where in the text that was seen an index of this one lies. */
  origin: (index: number) => number;
}

/** The text in Latin letters where it has others of their shape, in any width or style, and without accents. */
export function asSeen(text: string): Seen {
  // eslint-disable-next-line no-control-regex -- ASCII begins with them
  if (/^[\x00-\x7f]*$/.test(text)) return { text, origin: (index) => index };
  const origins: number[] = [];
  let seen = '';
  let at = 0;
  for (const letter of text) {
    const shape = letter < '\x80' ? letter : shapeOf(letter);
    seen += shape;
    for (let i = 0; i < shape.length; i++) origins.push(at);
    at += letter.length;
  }
  return { text: seen, origin: (index) => origins[index] ?? text.length };
}

const shapeOf = (letter: string): string =>
  [...letter.normalize('NFKD').replace(/\p{M}/gu, '')].map((one) => latin.get(one) ?? one).join('');
