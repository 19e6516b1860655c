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

/** How a grader of tokens comes to one verdict on each; null for one that asks about each token once. */
export interface RelevanceRule {
  /** How many of the orders must agree. */
  agreement: 'ALL' | 'MAJORITY' | null;
  /** In how many orders each list of tokens was shown. */
  rotations: number | null;
}

/** The shares of an organism at one depth of one run, by position; all of them by one rule, against the same corpora and description. */
export interface OrganismRelevance extends RelevanceSpec, RelevanceRule {
  organism: string;
  kind: string;
  /** Name of its base; null where the viewer does not see it. */
  base: string | null;
  run: string;
  layer: number;
  places: PlaceRelevance[];
}

type Found = PlaceRelevance &
  Pick<OrganismRelevance, 'organism' | 'kind' | 'base' | 'run' | 'layer' | keyof RelevanceRule> & {
    /** Of the grader and all that decides its verdict, but for the reading. */
    parameters: string;
    asked: number;
  };

/**
 * What graders said on the scale SHARE, organism by organism: of each the newest run that has any at that depth, and of that the
 * grades that were given as the one asked for last was, by the same rule against the same corpora; of a place what it was read as at the
 * scale that the method chose, by preference EXACT, then the newest reading. Grades of what a tournament chose are none of them.
 */
export function relevanceStore(sqlite: Connection, viewer: Viewer) {
  const select = (where: string) =>
    `select organisms.name as organism, organisms.kind as kind, models.name as base, runs.key as run,
       run_layers.layer as layer, diff_vectors.position as position, grades.value as value,
       grades.parameters_key as parameters, grades.asked as asked,
       json_extract(grades.parameters, '$.agreement') as agreement, json_extract(grades.parameters, '$.rotations') as rotations
     from grades cross join projections on projections.id = grades.projection_id ${projectionJoins(viewer)} join models measured on measured.id = runs.base_model_id
     where ${where}
       and grades.scale = 'SHARE' and json_type(grades.parameters, '$.selected') is null and projections.method = @method and projections.variant = @variant
       and projections.sign = 'PROMOTED' and projections.chosen = 1
       and run_layers.layer = cast(@depth * (measured.layers - 1) as integer)
     order by organisms.name, runs.created_at desc, runs.key desc, diff_vectors.position,
       projections.mode = 'COMPAT', projections.created_at desc, projections.id desc
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
  const newest: Found[][] = [];
  for (const row of rows) {
    const last = newest.at(-1);
    if (last?.[0]?.organism !== row.organism) newest.push([row]);
    else if (last[0].run === row.run) last.push(row);
  }
  return newest.map((found) => {
    const last = found.reduce((latest, row) => (row.asked > latest.asked ? row : latest));
    const places: PlaceRelevance[] = [];
    for (const { parameters, position, value } of found)
      if (parameters === last.parameters && places.at(-1)?.position !== position)
        places.push({ position, value });
    const { organism, kind, base, run, layer, agreement, rotations } = last;
    return { ...spec, organism, kind, base, run, layer, agreement, rotations, places };
  });
}
