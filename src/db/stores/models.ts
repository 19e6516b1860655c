import type { Connection } from '../connection.ts';
import { listing } from '../listing.ts';
import { named, type Given } from '../named.ts';
import { models } from '../tables/models.ts';
import { listed, type Viewer } from '../visible.ts';

export type NewModel = Given<typeof models>;
export type ModelRow = typeof models.$inferSelect & { key: string };

const toRow = (columns: typeof models.$inferSelect): ModelRow => ({ ...columns, key: columns.name });

export const modelStore = (sqlite: Connection, viewer: Viewer) => ({
  ...named(sqlite, viewer, 'base model', models, toRow),
  all: listing(sqlite, {
    name: 'baseModels',
    table: models,
    where: listed(viewer, 'models'),
    parameters: () => ({}),
    viewer,
    order: ['name'],
    row: toRow,
  }),
});
