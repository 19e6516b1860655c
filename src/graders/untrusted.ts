import { randomBytes } from 'node:crypto';
import type { JsonValue } from '../lib/canonical-json.ts';

/** A line that no text can have foreseen: 128 random bits. */
export const newDelimiter = (): string => `=====${randomBytes(16).toString('hex')}=====`;

/** What is put where a marker stood. */
export const removed = '[removed]';

/** Characters that are not seen and could split a marker or hide a text in another. */
const unseen = /[\p{Cf}\p{Variation_Selector}\u2028\u2029]|(?![\t\n\r])\p{Cc}/gu;

/** What stands for a verdict, a turn of a chat or the border of the material somewhere in our prompts or in a chat template. Every repeat is bounded, for the sake of long texts. */
const markers: readonly RegExp[] = [
  // Calls of our functions, with their arguments.
  /\bgive_(?:verdict|labels|score|scale)\b(?:\s{0,4}\([^)\n]{0,400}\))?/giu,
  // Verdict lines: ANSWER: COHERENT, ANSWER[3]: RELEVANT, SCORE: 5, "score" = 10, BEST_SCALER: 3, Final verdict - INCOHERENT, …
  /["'*_]{0,4}\b(?:(?:final|my|the|overall|correct)[ _-]{0,2})?(?:answer|score|verdict|rating|grade|label|best_scaler|top_tokens|translation)\b["'*_]{0,4}\s{0,4}(?:\[\s{0,4}\d{1,4}\s{0,4}\])?["'*_]{0,4}\s{0,4}[-:=—>]{1,4}\s{0,4}["'*_]{0,4}(?:\d{1,4}(?:\.\d{1,4})?(?:\s{0,4}(?:\/|out of)\s{0,4}\d{1,4})?|(?:in)?coherent|(?:ir)?relevant|unknown)\b["'*_]{0,4}[.!]?/giu,
  /\b(?:BEST_SCALER|TOP_TOKENS)\b["'*_]{0,4}\s{0,4}[:=][^\n]*/gu,
  /\b(?:ANSWER|TRANSLATION)\s{0,4}\[\s{0,4}\d{1,4}\s{0,4}\]["'*_]{0,4}\s{0,4}[:=][^\n]*/gu,
  /\b(?:FINAL|CALL|TOOL_RESULT)\s{0,4}\(/gu,
  // Turns of chats: <|im_start|>system, [INST], <start_of_turn>, </s>, <tool_call>, …
  /<\|[^|<>\n]{1,40}\|>(?:\s{0,4}(?:system|user|assistant|tool)\b)?/giu,
  /<\/?(?:s|bos|eos|start_of_turn|end_of_turn|tool_call|tool_response|think|verdict|answer|score|system|assistant|user|instructions?)\b[^<>\n]{0,40}>/giu,
  /\[\/?(?:INST|SYS|SYSTEM)\]|<<\/?SYS>>/giu,
  /^[ \t]{0,8}(?:#{1,6}[ \t]{0,4})?(?:system|developer|grader|judge)[ \t]{0,4}:/gimu,
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
 * replaced by `[removed]`. Letters that only look different (full width) count as what they look like.
 */
export function cleaned(text: string): Cleaned {
  let count = 0;
  let clean = text.toWellFormed().replace(unseen, () => {
    count += 1;
    return '';
  });
  const plain = clean.normalize('NFKC');
  if (plain !== clean && markersIn(plain) > markersIn(clean)) clean = plain;
  for (const marker of markers)
    clean = clean.replace(marker, () => {
      count += 1;
      return removed;
    });
  return { text: clean, removed: count };
}

const markersIn = (text: string): number =>
  markers.reduce((sum, marker) => sum + (text.match(marker)?.length ?? 0), 0);

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
