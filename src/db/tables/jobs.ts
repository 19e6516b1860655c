import { check, index, integer, sql, sqliteTable, text } from '../drizzle.ts';
import type { JsonObject } from '../../lib/canonical-json.ts';
import { accessTokens } from './access-tokens.ts';
import { organisms } from './organisms.ts';
import { teams } from './teams.ts';

/**
 * QUEUED waits for an engine; RUNNING is claimed by one, or was by one that died and waits for its lease to run out. The other
 * three are ends, and only starting the same job again leads out of ERROR and CANCELLED.
 */
export const jobStates = ['QUEUED', 'RUNNING', 'COMPLETED', 'ERROR', 'CANCELLED'] as const;
export type JobState = (typeof jobStates)[number];

/** Work for an engine. The same spec on the same files by the same version is the same row. */
export const jobs = sqliteTable(
  'jobs',
  {
    id: integer('id').primaryKey(),
    key: text('key').notNull().unique(),
    /** SHA-256 of all that decides the result. */
    identity: text('identity').notNull().unique(),
    kind: text('kind').notNull(),
    spec: text('spec', { mode: 'json' }).$type<JsonObject>().notNull(),
    /** Whose result it is, which decides who of its team sees the job; null before there is an organism. */
    organismId: integer('organism_id').references(() => organisms.id, { onDelete: 'cascade' }),
    /** Whose work it is; null: the store owner's. */
    teamId: integer('team_id').references(() => teams.id),
    /** What asked for it last; null: the owner. */
    tokenId: integer('token_id').references(() => accessTokens.id),
    state: text('state', { enum: jobStates }).notNull(),
    priority: integer('priority').notNull(),
    /** Claims since it was last queued by a client, without those that an engine gave back. */
    attempts: integer('attempts').notNull(),
    /** Of these, claims whose lease ran out or whose engine hung. */
    stalls: integer('stalls').notNull(),
    /** Engines that died of it, ever: this number is never set back. */
    crashes: integer('crashes').notNull(),
    /** Grows with every claim and every end: a writer that names an older one is too late. */
    fence: integer('fence').notNull(),
    /** The engine that has it. */
    owner: text('owner'),
    /** The machine's start that the two times below belong to, in milliseconds since then. */
    boot: text('boot').notNull(),
    leaseUntil: integer('lease_until').notNull(),
    availableAt: integer('available_at').notNull(),
    cancelRequested: integer('cancel_requested', { mode: 'boolean' }).notNull(),
    phase: text('phase'),
    done: integer('done'),
    total: integer('total'),
    errorCode: text('error_code'),
    errorMessage: text('error_message'),
    result: text('result', { mode: 'json' }).$type<JsonObject>(),
    createdAt: text('created_at').notNull(),
    startedAt: text('started_at'),
    finishedAt: text('finished_at'),
  },
  (table) => [
    index('jobs_newest').on(table.createdAt, table.key),
    index('jobs_waiting').on(table.state, table.priority, table.id),
    index('jobs_organism').on(table.organismId),
    index('jobs_team').on(table.teamId, table.createdAt, table.key),
    index('jobs_token').on(table.tokenId),
    check('jobs_state', sql`${table.state} in ('QUEUED', 'RUNNING', 'COMPLETED', 'ERROR', 'CANCELLED')`),
  ],
);
