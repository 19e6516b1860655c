import type { Connection } from '../connection.ts';
import { condition, rowsLookedAt, type Where } from '../filter.ts';
import { organismFields, projectionJoins } from '../filters.ts';
import { storeSizes } from '../store-sizes.ts';
import type { ProjectionVariant } from '../tables/projections.ts';
import { bindings, listed, type Viewer, visible } from '../visible.ts';
import type { GraderRow } from './graders.ts';
import type { OrganismRow } from './organisms.ts';

/** Whose shares are asked for, of which readings. */
export interface RelevanceSpec {
  grader: GraderRow;
  method: string;
  variant: ProjectionVariant;
  /** 0 (first block) to 1 (last): of L blocks the one that is trunc(depth · (L − 1)). */
  depth: number;
}

/** What a grader said of the reading of one place; `value` is null where it gave no verdict. */
export interface PlaceRelevance {
  position: number;
  value: number | null;
}

/** The shares of an organism at one depth of one run, by position. */
export interface OrganismRelevance extends RelevanceSpec {
  organism: string;
  kind: string;
  /** Name of its base; null where the viewer does not see it. */
  base: string | null;
  run: string;
  layer: number;
  places: PlaceRelevance[];
}

type Found = PlaceRelevance & Pick<OrganismRelevance, 'organism' | 'kind' | 'base' | 'run' | 'layer'>;

/**
 * What graders said on the scale SHARE, organism by organism: of each the newest run that has any at that depth; of a place what it
 * was read as at the chosen scale, by preference EXACT, then the newest reading; of that the grade saved last.
 */
export function relevanceStore(sqlite: Connection, viewer: Viewer) {
  const select = (where: string) =>
    `select organisms.name as organism, organisms.kind as kind, models.name as base, runs.key as run,
       run_layers.layer as layer, diff_vectors.position as position, grades.value as value
     from grades cross join projections on projections.id = grades.projection_id ${projectionJoins(viewer)} join models measured on measured.id = runs.base_model_id
     where ${where}
       and grades.scale = 'SHARE' and projections.method = @method and projections.variant = @variant
       and projections.sign = 'PROMOTED' and projections.chosen = 1
       and run_layers.layer = cast(@depth * (measured.layers - 1) as integer)
     order by organisms.name, runs.created_at desc, runs.key desc, diff_vectors.position,
       projections.mode = 'COMPAT', projections.created_at desc, projections.id desc, grades.id desc
     limit @most`;
  const ofOrganism = select(
    `grades.organism_id = @organism and grades.grader_id = @grader and ${visible(viewer, 'organisms')}`,
  );

  const read = (sql: string, spec: RelevanceSpec, most: number, bound: Record<string, string | number>) => {
    const { grader, method, variant, depth } = spec;
    const rows = sqlite
      .prepareAsked(sql)
      .all({ ...bindings(viewer), grader: grader.id, method, variant, depth, most, ...bound }) as Found[];
    return { rows: rows.length, organisms: byOrganism(rows, spec) };
  };

  const sizes = storeSizes(sqlite);
  return {
    /** Of one organism; nothing where nothing was graded so. `rows`: how many were read, `most` at most. */
    ofOrganism: (organism: OrganismRow, spec: RelevanceSpec, most: number) =>
      read(ofOrganism, spec, most, { organism: organism.id }),
    /** Rows that `ofOrganism` goes through, up to a bound. */
    looksAtOf: (organism: OrganismRow, { grader }: RelevanceSpec): number =>
      sizes.grades(organism.id, grader.id),
    /** Rows that `all` goes through, about. */
    looksAt: (where: Where | null | undefined): number =>
      sizes.rows('grades') + rowsLookedAt(where, organismFields, sizes),
    /** Of all organisms that may be listed and match, by name. `rows`: how many were read, `most` at most. */
    all(spec: RelevanceSpec, where: Where | null | undefined, most: number) {
      const { sql, parameters } = condition(where, organismFields, { viewer, sizes });
      const listedThat = `grades.grader_id = @grader and ${listed(viewer, 'organisms')} and (${sql})`;
      return read(select(listedThat), spec, most, parameters);
    },
  };
}

function byOrganism(rows: readonly Found[], spec: RelevanceSpec): OrganismRelevance[] {
  const organisms: OrganismRelevance[] = [];
  for (const { position, value, ...of } of rows) {
    let last = organisms.at(-1);
    if (last?.organism !== of.organism) organisms.push((last = { ...spec, ...of, places: [] }));
    if (last.run !== of.run || last.places.at(-1)?.position === position) continue;
    last.places.push({ position, value });
  }
  return organisms;
}
