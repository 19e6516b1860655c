import { scopes, type Scope } from './tables/access-tokens.ts';
import type { Visibility } from './tables/ownership.ts';

/** Who reads and writes. What they may see is decided by the predicates of this file alone, what they may change by `owns`. */
export interface Viewer {
  readonly kind: 'OWNER' | 'TOKEN' | 'ANONYMOUS';
  /** Sees and may change everything: the owner of a store on this machine, or an administrator. */
  readonly all: boolean;
  /** Whose things it makes; null: the store owner's. */
  readonly teamId: number | null;
  readonly tokenId: number | null;
  readonly scopes: readonly Scope[];
}

/** The owner of the store: commands, and a server on loopback without tokens. */
export const owner: Viewer = { kind: 'OWNER', all: true, teamId: null, tokenId: null, scopes };

/** Who comes without a token to a server that has some. */
export const anonymous: Viewer = { kind: 'ANONYMOUS', all: false, teamId: null, tokenId: null, scopes: [] };

/** Who comes with a token. */
export const bearer = (token: { id: number; teamId: number | null; scopes: readonly Scope[] }): Viewer => ({
  kind: 'TOKEN',
  all: token.scopes.includes('admin'),
  teamId: token.teamId,
  tokenId: token.id,
  scopes: token.scopes,
});

/**
 * The values of the parameters that the predicates below are written with. The SQL is the same for all viewers of a kind, so its
 * statements are prepared once for all of them.
 */
export const bindings = ({ all, kind, teamId, tokenId }: Viewer): Record<string, number | null> =>
  all || kind !== 'TOKEN' ? {} : { viewerTeam: teamId, viewerToken: tokenId };

/** What a viewer sees, as text: equal for those who see the same of every store. */
export const sightOf = ({ all, kind, teamId, tokenId }: Viewer): string =>
  all ? 'all' : kind === 'TOKEN' ? `team ${teamId} token ${tokenId}` : 'shared';

/** SQL for "this viewer may see the row of `table` that has been found by its key". `table`: organisms, models or corpora, or an alias of one. */
export function visible({ all, kind }: Viewer, table: string): string {
  if (all) return 'true';
  const shared = `${table}.visibility in ('UNLISTED', 'PUBLIC')`;
  return kind === 'TOKEN' ? `(${shared} or ${ofTeam(table)})` : shared;
}

/** SQL for "this viewer's lists, counts and searches contain the row of `table`". */
export function listed({ all, kind }: Viewer, table: string): string {
  if (all) return 'true';
  const shared = `${table}.visibility = 'PUBLIC'`;
  return kind === 'TOKEN' ? `(${shared} or ${ofTeam(table)})` : shared;
}

/** The viewer's own: null on either side is nobody's. */
const ofTeam = (table: string): string =>
  `(${table}.team_id = @viewerTeam and (${table}.visibility <> 'PRIVATE' or ${table}.token_id = @viewerToken))`;

/** SQL for "this viewer may see the row of `table` whose organism is `organism`, a column", under one of the two rules above. */
export const withOrganism = (
  viewer: Viewer,
  organism: string,
  rule: typeof visible | typeof listed,
): string =>
  viewer.all
    ? 'true'
    : `exists (select 1 from organisms where organisms.id = ${organism} and ${rule(viewer, 'organisms')})`;

/**
 * SQL for "this viewer may see this row of jobs": those of its team, but for what others of the team asked of things that they keep
 * to themselves.
 */
export function visibleJob(viewer: Viewer): string {
  if (viewer.all) return 'true';
  if (viewer.kind !== 'TOKEN') return 'false';
  return `(jobs.team_id = @viewerTeam and (jobs.token_id = @viewerToken or
    (coalesce(json_extract(jobs.spec, '$.visibility'), '') <> 'PRIVATE'
     and (jobs.organism_id is null or ${withOrganism(viewer, 'jobs.organism_id', visible)}))))`;
}

/** Whose a thing is, and who sees it. */
export interface Owned {
  teamId: number | null;
  tokenId: number | null;
  visibility: Visibility;
}

/** Whether a viewer may change a thing: its own team's, as far as it sees it. */
export const owns = (viewer: Viewer, { teamId, tokenId, visibility }: Owned): boolean =>
  viewer.all ||
  (teamId !== null &&
    teamId === viewer.teamId &&
    (visibility !== 'PRIVATE' || (tokenId !== null && tokenId === viewer.tokenId)));
