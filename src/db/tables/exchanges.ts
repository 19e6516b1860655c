import { integer, real, sqliteTable, text } from '../drizzle.ts';
import type { JsonObject } from '../../lib/canonical-json.ts';

/** What was sent to graders that are asked over a wire, and what came back. Paid for once. */
export const exchanges = sqliteTable('exchanges', {
  key: text('key').primaryKey(),
  grader: text('grader').notNull(),
  graderVersion: integer('grader_version').notNull(),
  promptDigest: text('prompt_digest').notNull(),
  provider: text('provider').notNull(),
  endpoint: text('endpoint').notNull(),
  model: text('model').notNull(),
  answeredBy: text('answered_by').notNull(),
  request: text('request', { mode: 'json' }).$type<JsonObject>().notNull(),
  reply: text('reply', { mode: 'json' }).$type<unknown>().notNull(),
  at: text('at').notNull(),
  durationMs: real('duration_ms').notNull(),
  attempts: integer('attempts').notNull(),
  cost: real('cost'),
});
