import type { Connection } from '../connection.ts';
import { organismFields, organismJoins, organismSorts } from '../filters.ts';
import { type Asked, isOneOf, listing, oneOf } from '../listing.ts';
import { named, type Given } from '../named.ts';
import { organisms, type OrganismForm } from '../tables/organisms.ts';
import type { ModelRow } from './models.ts';
import { listed, type Viewer } from '../visible.ts';

export type NewOrganism = Given<typeof organisms>;
export type OrganismRow = typeof organisms.$inferSelect & { key: string };

export interface OrganismFilters extends Asked {
  kinds?: readonly string[] | null | undefined;
  forms?: readonly OrganismForm[] | null | undefined;
}

const toRow = (columns: typeof organisms.$inferSelect): OrganismRow => ({ ...columns, key: columns.name });

export function organismStore(sqlite: Connection, viewer: Viewer) {
  const filter = `${isOneOf('organisms.kind', 'kinds')} and ${isOneOf('organisms.form', 'forms')}`;
  const bind = ({ kinds, forms }: OrganismFilters) => ({ kinds: oneOf(kinds), forms: oneOf(forms) });
  const remove = sqlite.prepare('delete from organisms where id = ?');
  const asked = {
    viewer,
    joins: organismJoins(viewer),
    fields: organismFields,
    sorts: organismSorts,
  };
  return {
    /** With its tags, notes and jobs; one that has runs is refused by the store itself. */
    remove: (organism: OrganismRow): void => void remove.run(organism.id),
    ...named(sqlite, viewer, 'organism', organisms, toRow),
    all: listing(sqlite, {
      name: 'organisms',
      table: organisms,
      where: `${listed(viewer, 'organisms')} and ${filter}`,
      parameters: (_: null, filters: OrganismFilters) => bind(filters),
      order: ['name'],
      ...asked,
      row: toRow,
    }),
    ofBaseModel: listing(sqlite, {
      name: 'baseModel.organisms',
      table: organisms,
      where: `base_model_id = @baseModelId and ${listed(viewer, 'organisms')} and ${filter}`,
      parameters: (model: ModelRow, filters: OrganismFilters) => ({
        baseModelId: model.id,
        ...bind(filters),
      }),
      order: ['name'],
      ...asked,
      row: toRow,
    }),
  };
}
