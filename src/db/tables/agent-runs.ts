import { check, index, integer, sql, sqliteTable, text } from '../drizzle.ts';
import type { JsonObject } from '../../lib/canonical-json.ts';
import { organisms } from './organisms.ts';
import { runs } from './runs.ts';

/** AGENT reads vectors and asks models, BLACK_BOX only asks models, OFFLINE reads by rules and asks nobody. */
export const agentKinds = ['AGENT', 'BLACK_BOX', 'OFFLINE'] as const;
export type AgentKind = (typeof agentKinds)[number];

/** NULL: the base in the place of both models. */
export const agentPairs = ['ORGANISM', 'NULL'] as const;
export type AgentPair = (typeof agentPairs)[number];

/** RUNNING may also be one whose process died; it and STOPPED go on when asked again. The other two are ends. */
export const agentStates = ['RUNNING', 'STOPPED', 'COMPLETED', 'FAILED'] as const;
export type AgentState = (typeof agentStates)[number];

/** Attempts to find out what an organism was finetuned on. The same thing asked twice is one row. */
export const agentRuns = sqliteTable(
  'agent_runs',
  {
    id: integer('id').primaryKey(),
    key: text('key').notNull().unique(),
    organismId: integer('organism_id')
      .notNull()
      .references(() => organisms.id),
    /** Whose vectors are read; null for BLACK_BOX. */
    runId: integer('run_id').references(() => runs.id),
    kind: text('kind', { enum: agentKinds }).notNull(),
    pair: text('pair', { enum: agentPairs }).notNull(),
    version: integer('version').notNull(),
    /** SHA-256 of the instructions and the tools; null for one that asks nobody. */
    promptDigest: text('prompt_digest'),
    provider: text('provider'),
    endpoint: text('endpoint'),
    model: text('model'),
    /** Budgets, and whatever else decides it. */
    parameters: text('parameters', { mode: 'json' }).$type<JsonObject>().notNull(),
    state: text('state', { enum: agentStates }).notNull(),
    errorCode: text('error_code'),
    errorMessage: text('error_message'),
    /** Whether the answer claims to know what the finetune is; null before there is one. */
    conclusive: integer('conclusive', { mode: 'boolean' }),
    /** Spent in all: calls with those that failed, tokens the provider counted or may have, prompts put to models. */
    calls: integer('calls').notNull(),
    promptTokens: integer('prompt_tokens').notNull(),
    replyTokens: integer('reply_tokens').notNull(),
    interactions: integer('interactions').notNull(),
    /** Of these, what brought no message: calls that failed or broke off. */
    lostCalls: integer('lost_calls').notNull(),
    lostTokens: integer('lost_tokens').notNull(),
    /** Begun since the last message and not counted above yet. */
    pendingCalls: integer('pending_calls').notNull(),
    pendingTokens: integer('pending_tokens').notNull(),
    /** Milliseconds that processes worked on it up to the last message, and since then. */
    spentMs: integer('spent_ms').notNull().default(0),
    pendingMs: integer('pending_ms').notNull().default(0),
    engineVersion: text('engine_version').notNull(),
    createdAt: text('created_at').notNull(),
    finishedAt: text('finished_at'),
  },
  (table) => [
    index('agent_runs_newest').on(table.createdAt, table.key),
    index('agent_runs_organism').on(table.organismId, table.createdAt, table.key),
    index('agent_runs_run').on(table.runId),
    check('agent_runs_kind', sql`${table.kind} in ('AGENT', 'BLACK_BOX', 'OFFLINE')`),
    check('agent_runs_pair', sql`${table.pair} in ('ORGANISM', 'NULL')`),
    check('agent_runs_state', sql`${table.state} in ('RUNNING', 'STOPPED', 'COMPLETED', 'FAILED')`),
  ],
);
