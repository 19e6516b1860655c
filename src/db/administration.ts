import type { Connection } from './connection.ts';
import type { accessTokenStore, NewToken, TokenRow } from './stores/access-tokens.ts';
import type { auditStore } from './stores/audit.ts';
import type { jobStore } from './stores/jobs.ts';
import type { SharedKind, Sharing, sharingStore } from './stores/sharing.ts';
import type { TeamRow, teamStore } from './stores/teams.ts';
import type { Owned } from './visible.ts';

interface Parts {
  teams: ReturnType<typeof teamStore>;
  sharing: ReturnType<typeof sharingStore>;
  audit: ReturnType<typeof auditStore>;
  jobs: ReturnType<typeof jobStore>;
}

/** What the owner of a store does for its teams, each with its line in the audit log or not at all. */
export function administration(
  sqlite: Connection,
  tokens: ReturnType<typeof accessTokenStore>,
  { teams, sharing, audit, jobs }: Parts,
) {
  const atomically = <Arguments extends unknown[], Result>(work: (...given: Arguments) => Result) => {
    const transaction = sqlite.transaction(work);
    return (...given: Arguments): Result => transaction.immediate(...given);
  };
  return {
    /** @throws CodedError INVALID_ARGUMENT, CONFLICT */
    addTeam: atomically((name: string): TeamRow => {
      const team = teams.add(name);
      audit.record({ action: 'team.create', subject: name });
      return team;
    }),

    /** @throws CodedError INVALID_ARGUMENT */
    createToken: atomically((given: NewToken): { row: TokenRow; secret: string } => {
      const made = tokens.create(given);
      const { id, scopes, expiresAt } = made.row;
      const details = { team: given.team?.name ?? null, scopes, expiresAt };
      audit.record({ action: 'token.create', subject: String(id), details });
      return made;
    }),

    /** Ends a token at once, and the jobs that it asked for. @throws NotFoundError */
    revokeToken: atomically((id: number): TokenRow => {
      const before = tokens.find(id);
      const row = tokens.revoke(id);
      const cancelled = jobs.unfinishedOf(id).map(({ key }) => jobs.cancel(key).key);
      if (before?.revokedAt === null)
        audit.record({ action: 'token.revoke', subject: String(id), details: { cancelled } });
      return row;
    }),

    /** @throws ForbiddenError, CodedError INVALID_ARGUMENT */
    share: atomically((kind: SharedKind, row: Owned & { id: number; name: string }, given: Sharing): void => {
      sharing.set(kind, row, given);
      const details = {
        visibility: given.visibility,
        ...(given.team !== undefined && { team: given.team?.name ?? null }),
      };
      audit.record({ action: 'visibilitySet', subject: `${kind} ${row.name}`, details });
    }),
  };
}
