import { check, index, integer, sql, sqliteTable, text } from '../drizzle.ts';
import { teams } from './teams.ts';

/**
 * What a token is good for. Every token reads what it may see. `write`: registers and changes things, tags and notes; `jobs:run`:
 * starts and cancels jobs; `import`: registers what lies below the roots and changes nothing; `admin`: sees and may do everything in the store.
 */
export const scopes = ['read', 'write', 'jobs:run', 'import', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** Tokens, without their secrets. Rows are never deleted: a store that had tokens never becomes open to all again. */
export const accessTokens = sqliteTable(
  'access_tokens',
  {
    id: integer('id').primaryKey(),
    /** The first characters of the secret, by which it is found. */
    prefix: text('prefix').notNull(),
    /** SHA-256 of the whole secret, in hex. */
    hash: text('hash').notNull().unique(),
    label: text('label').notNull(),
    scopes: text('scopes', { mode: 'json' }).$type<Scope[]>().notNull(),
    /** Null for an administrator of no team, whose things are the store owner's. */
    teamId: integer('team_id').references(() => teams.id),
    createdAt: text('created_at').notNull(),
    expiresAt: text('expires_at').notNull(),
    revokedAt: text('revoked_at'),
    /** To the minute; null before the first use. */
    lastUsedAt: text('last_used_at'),
  },
  (table) => [
    index('access_tokens_prefix').on(table.prefix),
    index('access_tokens_team').on(table.teamId),
    check('access_tokens_team', sql`${table.teamId} is not null or instr(${table.scopes}, '"admin"') > 0`),
  ],
);
