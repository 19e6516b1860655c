import type { Connection } from './connection.ts';
import type { Bind } from './filter.ts';
import { inserter } from './table-sql.ts';
import { projectionTokens } from './tables/projection-tokens.ts';

export const tokenMatches = ['EXACT', 'STARTS_WITH', 'CONTAINS'] as const;
export type TokenMatch = (typeof tokenMatches)[number];

/** Trigrams find texts of this many characters or more. */
const trigram = 3;

/** Writes tokens of projections, and what a search for their texts needs. */
export function tokenWriter(sqlite: Connection) {
  const insert = inserter(sqlite, projectionTokens);
  const addText = sqlite.prepare('insert into token_texts (text) values (?) on conflict do nothing');
  const addTrigrams = sqlite.prepare('insert into token_texts_trigrams (rowid, text) values (?, ?)');
  return (token: typeof projectionTokens.$inferInsert): void => {
    insert(token);
    if (token.text === null || token.text === undefined) return;
    const { changes, lastInsertRowid } = addText.run(token.text);
    if (changes > 0) addTrigrams.run(lastInsertRowid, token.text);
  };
}

/** SQL for "the token's text, a column of projection_tokens, is or has this". Case and spaces count. */
export function textMatches(column: string, text: string, match: TokenMatch, bind: Bind): string {
  const given = bind(text);
  if (match === 'EXACT') return `${column} = ${given}`;
  if (match === 'STARTS_WITH') return `${column} >= ${given} and ${column} < ${given} || char(0x10ffff)`;
  const candidates =
    [...text].length < trigram
      ? ''
      : `id in (select rowid from token_texts_trigrams where token_texts_trigrams match ${bind(`"${text.replaceAll('"', '""')}"`)}) and`;
  return `${column} in (select text from token_texts where ${candidates} instr(text, ${given}) > 0)`;
}
