/** Whether an object of a JSON text has a member twice, of which JSON.parse would keep the last without a word. For texts of any length. */
export function hasDuplicateKeys(json: string): boolean {
  const open: Set<string>[] = [];
  for (let at = 0; at < json.length; at++) {
    const letter = json[at];
    if (letter === '{') open.push(new Set());
    else if (letter === '}') open.pop();
    else if (letter === '"') {
      const start = at;
      at = endOfString(json, start);
      if (!isBeforeColon(json, at + 1)) continue;
      const key = JSON.parse(json.slice(start, at + 1)) as string;
      if (open.at(-1)?.has(key)) return true;
      open.at(-1)?.add(key);
    }
  }
  return false;
}

/** Index of the quote that ends the string which starts at one. */
function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at;
}

/** Whether nothing but space stands before the next colon. */
function isBeforeColon(json: string, from: number): boolean {
  let at = from;
  while (/\s/.test(json[at] ?? '')) at++;
  return json[at] === ':';
}
