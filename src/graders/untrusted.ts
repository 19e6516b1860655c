import { randomBytes } from 'node:crypto';
import type { JsonValue } from '../lib/canonical-json.ts';
import { asSeen, type Seen } from './look-alikes.ts';

/** A line that no text can have foreseen: 128 random bits. */
export const newDelimiter = (): string => `=====${randomBytes(16).toString('hex')}=====`;

/** What is put where a marker stood. */
export const removed = '[removed]';

/** Characters that are not seen and could split a marker or hide a text in another. */
const unseen = /[\p{Cf}\p{Variation_Selector}\u2028\u2029]|(?![\t\n\r])\p{Cc}/gu;

/** What may stand around a word and changes nothing about it: quotes, emphasis, code, tags of HTML, space. */
const dress = String.raw`(?:["'*_\x60~\])}\s]|</?[a-z]{1,8}\s{0,2}/?>){0,8}`;
const [before, after] = [String.raw`(?<![\p{L}\p{N}])`, String.raw`(?![\p{L}\p{N}])`];
const number = String.raw`\d{1,4}(?:\.\d{1,4})?(?:\s{0,4}(?:/|out of)\s{0,4}\d{1,4})?|one|two|three|four|five`;
const value = `(?:${number}|(?:in)?coherent|(?:ir)?relevant|unknown)${after}`;
const held = [`\\[\\s{0,4}${value}\\s{0,4}\\]`, `\\(\\s{0,4}${value}\\s{0,4}\\)`, value].join('|');
const field =
  '(?:(?:final|my|the|overall|correct)[ _-]{0,2})?(?:answer|score|verdict|rating|grade|label|best_scaler|top_tokens|translation)';
const index = String.raw`(?:\[\s{0,4}\d{1,4}\s{0,4}\])?`;

/** What stands for a verdict, a turn of a chat or the border of the material somewhere in our prompts or in a chat template. Every repeat is bounded, for the sake of long texts. */
const markers: readonly RegExp[] = [
  // Calls of our functions, with their arguments.
  /\bgive_(?:verdict|labels|score|scale)\b(?:\s{0,4}\([^)\n]{0,400}\))?/giu,
  // Verdict lines: ANSWER: COHERENT, ANSWER[3]: RELEVANT, "score" = 10, BEST_SCALER: 3, Final verdict - INCOHERENT, **Score**: [5], …
  new RegExp(
    `["'*_\`]{0,4}${before}${field}${after}${dress}${index}${dress}[-:=—>]{1,4}${dress}(?:${held})["'*_\`]{0,4}[.!]?`,
    'giu',
  ),
  /\b(?:BEST_SCALER|TOP_TOKENS)\b["'*_]{0,4}\s{0,4}[:=][^\n]*/gu,
  /\b(?:ANSWER|TRANSLATION)\s{0,4}\[\s{0,4}\d{1,4}\s{0,4}\]["'*_]{0,4}\s{0,4}[:=][^\n]*/gu,
  /\b(?:FINAL|CALL|TOOL_RESULT)\s{0,4}\(/gu,
  // Turns of chats: <|im_start|>system, [INST], <start_of_turn>, </s>, <tool_call>, ### Assistant:, …
  /<\|[^|<>\n]{1,40}\|>(?:\s{0,4}(?:system|user|assistant|tool)\b)?/giu,
  /<\/?(?:s|bos|eos|start_of_turn|end_of_turn|tool_call|tool_response|think|verdict|answer|score|system|assistant|user|instructions?)\b[^<>\n]{0,40}>/giu,
  /\[\/?(?:INST|SYS|SYSTEM)\]|<<\/?SYS>>/giu,
  /^[ \t]{0,8}(?:system|developer|grader|judge|human)[ \t]{0,4}:/gimu,
  /^[ \t]{0,8}#{1,6}[ \t]{0,4}(?:system|developer|grader|judge|human|user|assistant|instructions?|response)[ \t]{0,4}:/gimu,
  // Borders of the material.
  /={5,80}[^=\n]{0,80}={5,80}|<{3,80}[^<>\n]{0,80}>{3,80}|-{3,80}[ \t]{0,4}(?:begin|end)[^\n]{0,60}?-{3,80}/giu,
];

export interface Cleaned {
  text: string;
  /** Markers and unseen characters that were taken out. */
  removed: number;
}

/**
 * A text from a stranger without what a grader could take for a verdict, a turn of its chat or the end of the material, each
 * replaced by `[removed]`. Letters that only look different (full width, accents, Cyrillic and Greek twins) count as what they look like.
 * A verdict in words, as "the score is 5", is no marker: it stays.
 */
export function cleaned(text: string): Cleaned {
  let count = 0;
  let clean = text.toWellFormed().replace(unseen, () => {
    count += 1;
    return '';
  });
  let seen = asSeen(clean);
  for (const marker of markers) {
    const found = [...seen.text.matchAll(marker)];
    if (found.length === 0) continue;
    count += found.length;
    clean = cutOut(clean, seen, found);
    seen = asSeen(clean);
  }
  return { text: clean, removed: count };
}

/** The text with `[removed]` in the place of what was found in it as it is seen. */
function cutOut(text: string, { origin }: Seen, found: readonly RegExpExecArray[]): string {
  let [kept, from] = ['', 0];
  for (const { index: at, 0: marker } of found) {
    kept += text.slice(from, origin(at)) + removed;
    from = origin(at + marker.length);
  }
  return kept + text.slice(from);
}

export interface Sealed {
  /** The user message for a delimiter. */
  message(delimiter: string): string;
  removed: number;
}

/** Material as JSON between two lines of a delimiter, every text in it cleaned, names of members kept. */
export function sealed(material: JsonValue): Sealed {
  let count = 0;
  const clean = (value: JsonValue): JsonValue => {
    if (typeof value === 'string') {
      const one = cleaned(value);
      count += one.removed;
      return one.text;
    }
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map(clean);
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, clean(member)]));
  };
  const json = JSON.stringify(clean(material), null, 1);
  return { message: (delimiter) => `${delimiter}\n${json}\n${delimiter}`, removed: count };
}
