/** Whether objects and lists of this JSON text lie deeper in each other than `most`; texts that are no JSON get some answer. */
export function isDeeperThan(text: string, most: number): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === quote) i = endOfString(text, i + 1);
    else if (code === brace || code === bracket) {
      if (++depth > most) return true;
    } else if (code === closingBrace || code === closingBracket) depth--;
  }
  return false;
}

const [quote, brace, bracket, closingBrace, closingBracket, backslash] = [...'"{[}]\\'].map((sign) =>
  sign.charCodeAt(0),
) as [number, number, number, number, number, number];

/** Where the string that begins here has its closing quote. */
function endOfString(text: string, from: number): number {
  for (let i = text.indexOf('"', from); i >= 0; i = text.indexOf('"', i + 1)) {
    let escapes = 0;
    while (text.charCodeAt(i - 1 - escapes) === backslash && i - 1 - escapes >= from) escapes++;
    if (escapes % 2 === 0) return i;
  }
  return text.length;
}
