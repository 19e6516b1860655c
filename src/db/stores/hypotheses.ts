import { NotFoundError } from '../errors.ts';
import { onceEach } from '../../lib/once-each.ts';
import { checks } from '../checks.ts';
import type { Connection } from '../connection.ts';
import { splitHypothesisKey } from '../keys.ts';
import { isOneOf, listing, oneOf } from '../listing.ts';
import { finder, inserter, updater } from '../table-sql.ts';
import { hypotheses, type HypothesisStatus } from '../tables/hypotheses.ts';
import type { AgentRunRow } from './agent-runs.ts';

type Columns = typeof hypotheses.$inferSelect;
export type HypothesisRow = Columns & { key: string; agentRun: AgentRunRow };

type Said = Pick<Columns, 'text' | 'confidence' | 'reason'>;

const toRow = (columns: Columns, agentRun: AgentRunRow): HypothesisRow => ({
  ...columns,
  key: `${agentRun.key}.H${columns.number}`,
  agentRun,
});

export function hypothesisStore(
  sqlite: Connection,
  agentRuns: { findByKey(key: string): AgentRunRow | undefined; getById(id: number): AgentRunRow },
) {
  const find = finder(sqlite, hypotheses, 'agent_run_id = ? and number = ?');
  const findById = finder(sqlite, hypotheses, 'id = ?');
  const final = finder(sqlite, hypotheses, "agent_run_id = ? and status = 'FINAL'");
  const last = sqlite.pluck('select coalesce(max(number), 0) from hypotheses where agent_run_id = ?');
  const insert = inserter(sqlite, hypotheses);
  const update = updater(sqlite, hypotheses);

  const add = sqlite.transaction((run: AgentRunRow, said: Said, status: HypothesisStatus): HypothesisRow => {
    check(run, said);
    const number = (last.get(run.id) as number) + 1;
    const at = new Date().toISOString();
    insert({ ...said, agentRunId: run.id, number, status, revisions: 0, createdAt: at, updatedAt: at });
    return toRow(find(run.id, number) as Columns, run);
  });
  const change = sqlite.transaction(
    (run: AgentRunRow, number: number, said: Partial<Said & { status: HypothesisStatus }>): HypothesisRow => {
      const known = find(run.id, number);
      if (!known) throw new NotFoundError('hypothesis', `${run.key}.H${number}`);
      const next = { ...known, ...said, revisions: known.revisions + 1, updatedAt: new Date().toISOString() };
      check(run, next);
      update(known.id, next);
      return toRow(next, run);
    },
  );

  return {
    /** Hypotheses by their integer keys, each read once. */
    loader: () =>
      onceEach((id: number): HypothesisRow => {
        const columns = findById(id);
        if (!columns) throw new NotFoundError('hypothesis', id);
        return toRow(columns, agentRuns.getById(columns.agentRunId));
      }),
    findByKey(key: string): HypothesisRow | undefined {
      const parts = splitHypothesisKey(key);
      const run = parts && agentRuns.findByKey(parts.agentRun);
      const columns = run && find(run.id, parts.number);
      return columns && toRow(columns, run);
    },
    find(run: AgentRunRow, number: number): HypothesisRow | undefined {
      const columns = find(run.id, number);
      return columns && toRow(columns, run);
    },
    /** The answer; undefined while there is none. */
    finalOf(run: AgentRunRow): HypothesisRow | undefined {
      const columns = final(run.id);
      return columns && toRow(columns, run);
    },
    /** @throws InvalidResultError */
    add: (run: AgentRunRow, said: Said, status: HypothesisStatus = 'ACTIVE'): HypothesisRow =>
      add.immediate(run, said, status),
    /** @throws NotFoundError, InvalidResultError */
    change: (
      run: AgentRunRow,
      number: number,
      said: Partial<Said & { status: HypothesisStatus }>,
    ): HypothesisRow => change.immediate(run, number, said),
    ofRun: listing(sqlite, {
      name: 'agentRun.hypotheses',
      table: hypotheses,
      where: `agent_run_id = @agentRunId and ${isOneOf('status', 'statuses')}`,
      parameters: (
        run: AgentRunRow,
        { statuses }: { statuses?: readonly HypothesisStatus[] | null | undefined },
      ) => ({ agentRunId: run.id, statuses: oneOf(statuses) }),
      order: ['number'],
      row: toRow,
    }),
  };
}

function check(run: AgentRunRow, { text, confidence }: Said): void {
  const { filled, number } = checks(`hypothesis of ${run.key}`);
  filled('text', text);
  number('confidence', confidence, 0, 1);
}
