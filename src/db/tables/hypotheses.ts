import { check, integer, real, sql, sqliteTable, text, unique } from '../drizzle.ts';
import { agentRuns } from './agent-runs.ts';

/** FINAL is the answer, one a run. */
export const hypothesisStatuses = ['ACTIVE', 'WITHDRAWN', 'FINAL'] as const;
export type HypothesisStatus = (typeof hypothesisStatuses)[number];

/** What agents believed a finetune taught, as they last put it; the transcript has what they said before. */
export const hypotheses = sqliteTable(
  'hypotheses',
  {
    id: integer('id').primaryKey(),
    agentRunId: integer('agent_run_id')
      .notNull()
      .references(() => agentRuns.id),
    /** From 1. */
    number: integer('number').notNull(),
    text: text('text').notNull(),
    /** 0 to 1. */
    confidence: real('confidence').notNull(),
    status: text('status', { enum: hypothesisStatuses }).notNull(),
    reason: text('reason').notNull(),
    revisions: integer('revisions').notNull(),
    createdAt: text('created_at').notNull(),
    updatedAt: text('updated_at').notNull(),
  },
  (table) => [
    unique('hypotheses_number').on(table.agentRunId, table.number),
    check('hypotheses_confidence', sql`${table.confidence} between 0 and 1`),
    check('hypotheses_status', sql`${table.status} in ('ACTIVE', 'WITHDRAWN', 'FINAL')`),
  ],
);
