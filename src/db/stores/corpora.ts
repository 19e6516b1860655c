import type { Database } from 'better-sqlite3';
import { listing } from '../listing.ts';
import { named, type Given } from '../named.ts';
import { corpora } from '../tables/corpora.ts';

export type NewCorpus = Given<typeof corpora>;
export type CorpusRow = typeof corpora.$inferSelect & { key: string };

const toRow = (columns: typeof corpora.$inferSelect): CorpusRow => ({ ...columns, key: columns.name });

export const corpusStore = (sqlite: Database) => ({
  ...named(sqlite, 'corpus', corpora, toRow),
  all: listing(sqlite, {
    name: 'corpora',
    table: corpora,
    where: 'true',
    parameters: () => ({}),
    order: ['name'],
    row: toRow,
  }),
});
