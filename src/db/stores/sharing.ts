import { CodedError } from '../../lib/coded-error.ts';
import type { Connection } from '../connection.ts';
import { ForbiddenError } from '../errors.ts';
import type { Visibility } from '../tables/ownership.ts';
import { type Owned, owns, type Viewer } from '../visible.ts';
import type { TeamRow } from './teams.ts';

/** Kinds of things that have a visibility of their own, and the tables they are in. */
const tables = { organism: 'organisms', model: 'models', corpus: 'corpora' } as const;
export type SharedKind = keyof typeof tables;
export const sharedKinds = Object.keys(tables) as SharedKind[];

export interface Sharing {
  visibility: Visibility;
  /** Gives it to a team, or, null, back to the store's owner. Left out: it stays whose it is. */
  team?: TeamRow | null | undefined;
}

export function sharingStore(sqlite: Connection, viewer: Viewer) {
  const statements = Object.fromEntries(
    Object.entries(tables).map(([kind, table]) => [
      kind,
      sqlite.prepare(`update ${table} set visibility = ?, team_id = ?, token_id = ? where id = ?`),
    ]),
  );
  const opens = sqlite.prepare(
    'select 1 from access_tokens where id = ? and revoked_at is null and expires_at > ?',
  );
  const isValid = (tokenId: number | null): boolean =>
    tokenId !== null && opens.get(tokenId, new Date().toISOString()) !== undefined;
  return {
    /**
     * Says who sees a thing that was found before. What belongs to a team is always seen by one of its tokens: given to another team,
     * it is no longer of the token that registered it, also when it comes back, and can be PRIVATE no more.
     * @throws ForbiddenError for what belongs to others, and for giving away; CodedError INVALID_ARGUMENT where nobody of the team
     * would be left to see it
     */
    set(kind: SharedKind, row: Owned & { id: number }, { visibility, team }: Sharing): void {
      if (!owns(viewer, row)) throw new ForbiddenError(`this ${kind} belongs to others`);
      if (team !== undefined && !viewer.all)
        throw new ForbiddenError('only an administrator says whose a thing is');
      const teamId = team === undefined ? row.teamId : (team?.id ?? null);
      const tokenId = teamId === row.teamId ? row.tokenId : null;
      if (visibility === 'TEAM' && teamId === null)
        throw new CodedError('INVALID_ARGUMENT', `TEAM needs a team; this ${kind} is the store owner’s`);
      if (visibility === 'PRIVATE' && !viewer.all && tokenId !== viewer.tokenId)
        throw new ForbiddenError(`only the token that registered this ${kind} can keep it to itself`);
      if (visibility === 'PRIVATE' && teamId !== null && !isValid(tokenId))
        throw new CodedError(
          'INVALID_ARGUMENT',
          `PRIVATE is for the token that registered a thing, and the team of this ${kind} has no such token any more; TEAM shows it to that team alone`,
        );
      statements[kind]?.run(visibility, teamId, tokenId, row.id);
    },
  };
}
