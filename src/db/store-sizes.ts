import { onceEach } from '../lib/once-each.ts';
import type { Connection } from './connection.ts';
import { isCommon, type TokenMatch } from './token-texts.ts';

/** How much there is to go through, in rows: cheap to ask and about right, to tell short work from long. */
export interface StoreSizes {
  /** Rows of this table, where its ids count them. */
  rows(table: string): number;
  diffVectors(): number;
  tokens(): number;
  /** Tokens with this text, counted up to a bound. */
  tokensWithText(text: string): number;
  /** Grades of an organism by one grader, counted up to a bound. */
  grades(organismId: number, graderId: number): number;
  /** Whether so many texts of tokens match that nearly every projection has one. */
  isCommon(text: string, match: TokenMatch): boolean;
}

/** Tokens that a projection usually has. */
const tokensPerProjection = 20;

const mostCounted = 20_000;

export function storeSizes(sqlite: Connection): StoreSizes {
  const counted = (from: string, ...given: (string | number)[]): number =>
    sqlite.pluck(`select count(*) from (select 1 from ${from} limit ${mostCounted})`).get(...given) as number;
  const rows = (table: string): number => {
    if (table === 'projection_tokens') return tokensPerProjection * rows('projections');
    return (sqlite.pluck(`select max(id) from "${table}"`).get() as number | null) ?? 0;
  };
  return {
    rows,
    diffVectors: () => rows('diff_vectors'),
    tokens: () => rows('projection_tokens'),
    tokensWithText: (text) => counted('projection_tokens where text = ?', text),
    grades: (organismId, graderId) =>
      counted('grades where organism_id = ? and grader_id = ?', organismId, graderId),
    isCommon: (text, match) => isCommon(sqlite, text, match),
  };
}

/** The same for one question, in which a text is looked up once however often it is named. */
export const sizesOnce = (sizes: StoreSizes): StoreSizes => {
  const isCommon = {
    STARTS_WITH: onceEach((text: string) => sizes.isCommon(text, 'STARTS_WITH')),
    CONTAINS: onceEach((text: string) => sizes.isCommon(text, 'CONTAINS')),
    EXACT: (text: string) => sizes.isCommon(text, 'EXACT'),
  };
  return {
    ...sizes,
    tokensWithText: onceEach(sizes.tokensWithText),
    isCommon: (text, match) => isCommon[match](text),
  };
};
