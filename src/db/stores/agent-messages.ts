import { CodedError } from '../../lib/coded-error.ts';
import type { Connection } from '../connection.ts';
import { splitAgentMessageKey } from '../keys.ts';
import { isOneOf, listing, oneOf } from '../listing.ts';
import { finder, inserter, rowReader, selectList } from '../table-sql.ts';
import { agentMessages, type AgentRole } from '../tables/agent-messages.ts';
import type { AgentRunRow, AgentSpent } from './agent-runs.ts';

type Columns = typeof agentMessages.$inferSelect;
export type AgentMessageRow = Columns & { key: string; agentRun: AgentRunRow };

/** A message as it was sent or came, and what it took. */
export interface NewAgentMessage extends Partial<Pick<Columns, 'calls' | 'tool' | 'callId' | 'exchange'>> {
  role: AgentRole;
  content: string;
  spent?: Partial<AgentSpent> | undefined;
}

export interface AgentMessageFilters {
  roles?: readonly AgentRole[] | null | undefined;
}

const toRow = (columns: Columns, agentRun: AgentRunRow): AgentMessageRow => ({
  ...columns,
  key: `${agentRun.key}.M${columns.number}`,
  agentRun,
});

export function agentMessageStore(
  sqlite: Connection,
  agentRuns: {
    findByKey(key: string): AgentRunRow | undefined;
    spend(run: AgentRunRow, spent: AgentSpent): AgentRunRow;
  },
) {
  const find = finder(sqlite, agentMessages, 'agent_run_id = ? and number = ?');
  const insert = inserter(sqlite, agentMessages);
  const read = rowReader(agentMessages);
  const after = sqlite.prepare(
    `select ${selectList(agentMessages)} from agent_messages where agent_run_id = ? and number > ? order by number limit ?`,
  );

  const append = sqlite.transaction(
    (run: AgentRunRow, number: number, { spent = {}, ...message }: NewAgentMessage): AgentMessageRow => {
      if (find(run.id, number))
        throw new CodedError('CONFLICT', `somebody else goes on with agent run ${run.key} at this moment`);
      const took = { calls: 0, promptTokens: 0, replyTokens: 0, interactions: 0, ms: 0, ...spent };
      insert({
        calls: [],
        tool: null,
        callId: null,
        exchange: null,
        ...message,
        agentRunId: run.id,
        number,
        spentCalls: took.calls,
        promptTokens: took.promptTokens,
        replyTokens: took.replyTokens,
        interactions: took.interactions,
        spentMs: took.ms,
        createdAt: new Date().toISOString(),
      });
      const agentRun = agentRuns.spend(run, took);
      return toRow(find(run.id, number) as Columns, agentRun);
    },
  );

  return {
    findByKey(key: string): AgentMessageRow | undefined {
      const parts = splitAgentMessageKey(key);
      const run = parts && agentRuns.findByKey(parts.agentRun);
      const columns = run && find(run.id, parts.number);
      return columns && toRow(columns, run);
    },
    /**
     * Writes the message of this number, the next one, and counts what it took.
     * @throws CodedError CONFLICT where another process has written it
     */
    append: (run: AgentRunRow, number: number, message: NewAgentMessage): AgentMessageRow =>
      append.immediate(run, number, message),
    /** Messages after this number (−1: all), the oldest first. */
    after: (run: AgentRunRow, number: number, most = Number.MAX_SAFE_INTEGER): AgentMessageRow[] =>
      after.all(run.id, number, most).map((row) => toRow(read(row), run)),
    ofRun: listing(sqlite, {
      name: 'agentRun.messages',
      table: agentMessages,
      where: `agent_run_id = @agentRunId and ${isOneOf('role', 'roles')}`,
      parameters: (run: AgentRunRow, { roles }: AgentMessageFilters) => ({
        agentRunId: run.id,
        roles: oneOf(roles),
      }),
      order: ['number'],
      row: toRow,
    }),
  };
}
