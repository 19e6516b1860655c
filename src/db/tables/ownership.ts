import { check, integer, sql, type SQLiteColumn, text } from '../drizzle.ts';
import { accessTokens } from './access-tokens.ts';
import { teams } from './teams.ts';

/**
 * PRIVATE: the token that made it, where a team's it is (src/db/stores/sharing.ts demands one), and administrators; TEAM: every token of its team; UNLISTED: whoever names it, but no list has it (those of
 * its own team do); PUBLIC: everybody.
 */
export const visibilities = ['PRIVATE', 'TEAM', 'UNLISTED', 'PUBLIC'] as const;
export type Visibility = (typeof visibilities)[number];

/** Columns of what belongs to somebody and is seen by others, or not. */
export const ownership = () => ({
  /** Null: it is the store owner's. */
  teamId: integer('team_id').references(() => teams.id),
  /** What made it for its team; null where that was the owner, or a team that it was taken from. */
  tokenId: integer('token_id').references(() => accessTokens.id),
  visibility: text('visibility', { enum: visibilities }).notNull().default('PRIVATE'),
});

/** What must hold of them, whoever writes. */
export const ownershipChecks = (
  table: string,
  { visibility, teamId }: { visibility: SQLiteColumn; teamId: SQLiteColumn },
) => [
  check(`${table}_visibility`, sql`${visibility} in ('PRIVATE', 'TEAM', 'UNLISTED', 'PUBLIC')`),
  check(`${table}_team`, sql`${visibility} <> 'TEAM' or ${teamId} is not null`),
];
