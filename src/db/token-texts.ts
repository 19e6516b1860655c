import type { Connection } from './connection.ts';
import type { Bind } from './filter.ts';
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
