import { integer, sqliteTable, text } from '../drizzle.ts';
import type { JsonObject } from '../../lib/canonical-json.ts';

/**
 * What was done, by whom. Triggers refuse every change of a row; its hash covers the row before it, so that a change by other
 * means shows.
 */
export const audit = sqliteTable('audit', {
  /** Its place in the chain, from 1 without gaps. */
  id: integer('id').primaryKey(),
  createdAt: text('created_at').notNull(),
  /** OWNER, TOKEN or ANONYMOUS. */
  viewer: text('viewer').notNull(),
  tokenId: integer('token_id'),
  teamId: integer('team_id'),
  /** Noun and verb: organismUpdate, token.create, run.export. */
  action: text('action').notNull(),
  /** Id or key of what it was done to; null where that has none. */
  subject: text('subject'),
  /** The request that did it; null for commands. */
  requestId: text('request_id'),
  details: text('details', { mode: 'json' }).$type<JsonObject>().notNull(),
  /** SHA-256, in hex, of the hash before it and of all the above. */
  hash: text('hash').notNull(),
});
