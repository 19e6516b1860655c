import type { ChatReply } from '../graders/index.ts';

/** How an agent calls tools: by functions where its provider can, else by lines of text. */
export type CallForm = 'FUNCTION' | 'TEXT';

export interface Call {
  name: string;
  /** JSON or not. */
  arguments: string;
}

/** What a turn does, or why nothing was done. */
export type Turn = { calls: Call[] } | { problem: string };

/** A turn with more calls is none. */
const mostOfTurn = 32;

/** The calls of a reply. In text there is exactly one, and nothing follows it. Pure and total. */
export function readTurn({ text, calls, finish }: ChatReply, form: CallForm): Turn {
  const broken = finish === 'length' ? ' Your reply was cut off: be shorter.' : '';
  if (form === 'FUNCTION') {
    if (calls.length > mostOfTurn)
      return {
        problem: `${calls.length} functions were called, and none was done; call a few of them.${broken}`,
      };
    if (calls.length > 0)
      return { calls: calls.map(({ name, arguments: given }) => ({ name, arguments: given })) };
    return { problem: `No function was called. Every turn calls one.${broken}` };
  }
  const said = text.replace(/\r\n?/g, '\n').replace(/<think>[^]*?(?:<\/think>|$)/g, '');
  const starts = [...said.matchAll(/^[ \t]*(CALL|FINAL)[ \t]*\(/gm)];
  const [start] = starts;
  if (!start) return { problem: `No call was found. Every turn ends with a CALL or the FINAL.${broken}` };
  if (starts.length > 1)
    return { problem: `${starts.length} calls were found; a turn has one, and none was made.` };
  return readCall(said.slice(start.index + start[0].length), start[1] === 'FINAL', broken);
}

/** What stands behind "CALL(" or "FINAL(". */
function readCall(rest: string, isFinal: boolean, broken: string): Turn {
  const [head = '', named = ''] = (isFinal ? /^\s*()/ : /^\s*([A-Za-z_]\w{0,60})\s*[:,]\s*/).exec(rest) ?? [];
  if (!isFinal && named === '')
    return {
      problem: 'After CALL and its parenthesis come the name of the tool, a colon and a JSON object.',
    };
  const end = endOfObject(rest, head.length);
  if (end === null)
    return {
      problem: `The arguments of a call are one JSON object in braces; this one does not begin or end.${broken}`,
    };
  // One parenthesis that was forgotten is no reason to ask again.
  if (!/^\s*\)?\s*(?:```)?\s*$/.test(rest.slice(end)))
    return { problem: 'Something follows the call; it must be the end of the turn.' };
  return { calls: [{ name: isFinal ? 'give_answer' : named, arguments: rest.slice(head.length, end) }] };
}

/** Where the JSON object that begins here ends, by its braces outside of strings; null where it does not. */
function endOfObject(text: string, from: number): number | null {
  if (text[from] !== '{') return null;
  let depth = 0;
  let inString = false;
  for (let i = from; i < text.length; i++) {
    const letter = text[i];
    if (inString) {
      if (letter === '\\') i += 1;
      else if (letter === '"') inString = false;
    } else if (letter === '"') inString = true;
    else if (letter === '{') depth += 1;
    else if (letter === '}' && --depth === 0) return i + 1;
  }
  return null;
}
