import { check, integer, sql, sqliteTable, text, unique } from '../drizzle.ts';
import { agentRuns } from './agent-runs.ts';

/** SYSTEM and USER are ours, ASSISTANT is the agent, TOOL what a call brought. */
export const agentRoles = ['SYSTEM', 'USER', 'ASSISTANT', 'TOOL'] as const;
export type AgentRole = (typeof agentRoles)[number];

/** A call of a tool as it was written. */
export interface AgentCall {
  id: string;
  name: string;
  /** JSON or not. */
  arguments: string;
}

/** The transcripts, each message as it was sent or came, from 0 without gaps. */
export const agentMessages = sqliteTable(
  'agent_messages',
  {
    id: integer('id').primaryKey(),
    agentRunId: integer('agent_run_id')
      .notNull()
      .references(() => agentRuns.id),
    number: integer('number').notNull(),
    role: text('role', { enum: agentRoles }).notNull(),
    content: text('content').notNull(),
    /** Of an ASSISTANT that calls functions; empty for others. */
    calls: text('calls', { mode: 'json' }).$type<AgentCall[]>().notNull(),
    /** Of a TOOL: whose result it is, and of which call where calls have ids. */
    tool: text('tool'),
    callId: text('call_id'),
    /** Key of the exchange that an ASSISTANT's message came in; null for others, and where nobody was asked. */
    exchange: text('exchange'),
    /** What it took: calls, tokens of prompt and reply, prompts put to models. */
    spentCalls: integer('spent_calls').notNull(),
    promptTokens: integer('prompt_tokens').notNull(),
    replyTokens: integer('reply_tokens').notNull(),
    interactions: integer('interactions').notNull(),
    /** Milliseconds of work since the message before. */
    spentMs: integer('spent_ms').notNull().default(0),
    createdAt: text('created_at').notNull(),
  },
  (table) => [
    unique('agent_messages_number').on(table.agentRunId, table.number),
    check('agent_messages_role', sql`${table.role} in ('SYSTEM', 'USER', 'ASSISTANT', 'TOOL')`),
  ],
);
