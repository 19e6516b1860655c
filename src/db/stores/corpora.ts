import type { Connection } from '../connection.ts';
import { listing } from '../listing.ts';
import { named, type Given } from '../named.ts';
import { corpora } from '../tables/corpora.ts';
import { listed, type Viewer } from '../visible.ts';

export type NewCorpus = Given<typeof corpora>;
export type CorpusRow = typeof corpora.$inferSelect & { key: string };

const toRow = (columns: typeof corpora.$inferSelect): CorpusRow => ({ ...columns, key: columns.name });

export const corpusStore = (sqlite: Connection, viewer: Viewer) => ({
  ...named(sqlite, viewer, 'corpus', corpora, toRow),
  all: listing(sqlite, {
    name: 'corpora',
    table: corpora,
    where: listed(viewer, 'corpora'),
    parameters: () => ({}),
    viewer,
    order: ['name'],
    row: toRow,
  }),
});
