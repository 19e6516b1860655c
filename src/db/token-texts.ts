import type { Connection } from './connection.ts';
import { type Bind, binder } from './binder.ts';
import { inserter } from './table-sql.ts';
import { projectionTokens } from './tables/projection-tokens.ts';

export const tokenMatches = ['EXACT', 'STARTS_WITH', 'CONTAINS'] as const;
export type TokenMatch = (typeof tokenMatches)[number];

/** Trigrams find texts of this many characters or more. */
const trigram = 3;

/** Writes one token of a projection. */
export type WriteToken = (token: typeof projectionTokens.$inferInsert) => void;

/**
 * Writes tokens of projections, and what a search for their texts needs. Make a writer for each transaction: it remembers the texts
 * that are there, and they are only as long as the transaction is not undone.
 */
export function tokenWriter(sqlite: Connection): () => WriteToken {
  const insert = inserter(sqlite, projectionTokens);
  const addText = sqlite.prepare('insert into token_texts (text) values (?) on conflict do nothing');
  const addTrigrams = sqlite.prepare('insert into token_texts_trigrams (rowid, text) values (?, ?)');
  return () => {
    const known = new Set<string>();
    return (token) => {
      insert(token);
      const { text } = token;
      if (text === null || text === undefined || known.has(text)) return;
      known.add(text);
      const { changes, lastInsertRowid } = addText.run(text);
      if (changes > 0) addTrigrams.run(lastInsertRowid, text);
    };
  };
}

/**
 * SQL for "the token's text, a column of projection_tokens, is or has this". Case and spaces count. A text that is common is looked
 * for in the tokens as they come; a rare one by the texts that have it.
 */
export function textMatches(
  column: string,
  text: string,
  match: TokenMatch,
  { bind, common }: { bind: Bind; common: boolean },
): string {
  if (match !== 'CONTAINS') return isOrStarts(column, text, match, bind);
  return common
    ? `instr(${column}, ${bind(text)}) > 0`
    : `${column} in (select text from token_texts where ${has('text', text, bind)})`;
}

function isOrStarts(column: string, text: string, match: 'EXACT' | 'STARTS_WITH', bind: Bind): string {
  if (match === 'EXACT') return `${column} = ${bind(text)}`;
  const end = afterAll(text);
  return `${column} >= ${bind(text)}${end === undefined ? '' : ` and ${column} < ${bind(end)}`}`;
}

/** The least text, by code points, that comes after all that start with this one; undefined where every later text does. */
function afterAll(text: string): string | undefined {
  const points = [...text].map((character) => character.codePointAt(0) as number);
  while (points.at(-1) === 0x10ffff) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  const next = last === 0xd7ff ? 0xe000 : last + 1; // between them lie no characters
  return String.fromCodePoint(...points, next);
}

/** SQL for "this text of token_texts has that in it". */
function has(column: string, text: string, bind: Bind): string {
  const candidates =
    [...text].length < trigram || text.includes('\0') // FTS5 takes a string to end there
      ? ''
      : `id in (select rowid from token_texts_trigrams where token_texts_trigrams match ${bind(`"${text.replaceAll('"', '""')}"`)}) and `;
  return `${candidates}instr(${column}, ${bind(text)}) > 0`;
}

/** Texts that match, from which on a text is common. */
const commonTexts = 1_000;

/** Whether many texts of tokens match. One text alone is never common: its index finds the best of its tokens first. */
export function isCommon(sqlite: Connection, text: string, match: TokenMatch): boolean {
  if (match === 'EXACT') return false;
  const { bind, parameters } = binder();
  const matching = match === 'CONTAINS' ? has('text', text, bind) : isOrStarts('text', text, match, bind);
  const sql = `select count(*) from (select 1 from token_texts where ${matching} limit ${commonTexts})`;
  return (sqlite.pluck(sql).get(parameters) as number) === commonTexts;
}
