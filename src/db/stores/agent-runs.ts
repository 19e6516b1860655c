import { canonicalJson, type JsonObject } from '../../lib/canonical-json.ts';
import { CodedError } from '../../lib/coded-error.ts';
import { packageVersion } from '../../lib/package-root.ts';
import { sha256 } from '../../lib/sha256.ts';
import { checks } from '../checks.ts';
import type { Connection } from '../connection.ts';
import { agentRunFields, agentRunJoins, agentRunSorts } from '../filters.ts';
import { isOneOf, listing, oneOf } from '../listing.ts';
import { finder, inserter, updater } from '../table-sql.ts';
import {
  type AgentKind,
  agentKinds,
  type AgentPair,
  agentRuns,
  type AgentState,
} from '../tables/agent-runs.ts';
import { bindings, listed, visible, type Viewer, withOrganism } from '../visible.ts';
import { leaseStore } from './leases.ts';
import type { OrganismRow } from './organisms.ts';
import type { RunRow } from './runs.ts';

export type AgentRunRow = typeof agentRuns.$inferSelect;

/** Everything that decides an agent run: what is asked again goes on, or is there already. */
export interface AgentRunSpec {
  organism: OrganismRow;
  run: RunRow | null;
  kind: AgentKind;
  pair: AgentPair;
  version: number;
  promptDigest: string | null;
  provider: string | null;
  endpoint: string | null;
  model: string | null;
  parameters: JsonObject;
}

/** What a message took. */
export interface AgentSpent {
  calls: number;
  promptTokens: number;
  replyTokens: number;
  interactions: number;
  /** Milliseconds, which were pending. */
  ms: number;
}

export interface AgentRunFilters {
  kinds?: readonly AgentKind[] | null | undefined;
  states?: readonly AgentState[] | null | undefined;
}

export function agentRunKey({ organism, run, ...rest }: AgentRunSpec): string {
  const of = { organism: organism.name, digest: organism.digest, run: run?.key ?? null };
  return sha256(canonicalJson({ ...rest, ...of })).slice(0, 20);
}

const ended = (row: AgentRunRow): boolean => row.state === 'COMPLETED' || row.state === 'FAILED';

/** The right to work on an agent run, by name. */
export const agentRunLease = ({ key }: Pick<AgentRunRow, 'key'>): string => `agent run ${key}`;

export function agentRunStore(sqlite: Connection, viewer: Viewer) {
  const sees = withOrganism(viewer, 'agent_runs.organism_id', visible);
  const lists = withOrganism(viewer, 'agent_runs.organism_id', listed);
  const findByKey = finder(sqlite, agentRuns, `key = ? and ${sees}`, bindings(viewer));
  const findById = finder(sqlite, agentRuns, 'id = ?');
  const leases = leaseStore(sqlite);
  const anyOf = sqlite.prepare('select 1 from agent_runs where organism_id = ? limit 1');
  const insert = inserter(sqlite, agentRuns);
  const update = updater(sqlite, agentRuns);

  const atomically = <Arguments extends unknown[], Result>(work: (...given: Arguments) => Result) => {
    const transaction = sqlite.transaction(work);
    return (...given: Arguments): Result => transaction.immediate(...given);
  };
  /** Changes the row as it stands now, which another process may have gone on with. */
  const change = atomically((id: number, of: (row: AgentRunRow) => Partial<AgentRunRow>): AgentRunRow => {
    const row = findById(id) as AgentRunRow;
    const next = { ...row, ...of(row) };
    update(id, next);
    return next;
  });

  const filter = `${isOneOf('agent_runs.kind', 'kinds')} and ${isOneOf('agent_runs.state', 'states')}`;
  const bind = ({ kinds, states }: AgentRunFilters) => ({ kinds: oneOf(kinds), states: oneOf(states) });
  const newestFirst = { descending: true, row: (row: AgentRunRow) => row };
  const order: ('createdAt' | 'key')[] = ['createdAt', 'key'];
  const asked = { viewer, joins: agentRunJoins(viewer), fields: agentRunFields, sorts: agentRunSorts };

  return {
    findByKey,
    /** Of a message or a hypothesis. */
    getById: (id: number): AgentRunRow => findById(id) as AgentRunRow,
    /** Whether anybody tried to find an organism out. */
    anyOf: (organism: OrganismRow): boolean => anyOf.get(organism.id) !== undefined,

    /** Whether a process is at work on it: one that died may have left it RUNNING. */
    isAtWork: (run: AgentRunRow): boolean => run.state === 'RUNNING' && leases.isTaken(agentRunLease(run)),

    /** The agent run of this spec: new, to be gone on with, or as it ended. @throws InvalidResultError */
    begin: atomically((spec: AgentRunSpec): AgentRunRow => {
      const { organism, run, ...rest } = spec;
      const { oneOf: among, json, whole } = checks(`agent run of ${organism.name}`);
      among('kind', spec.kind, agentKinds);
      whole('version', spec.version, 1);
      json('parameters', spec.parameters);
      const key = agentRunKey(spec);
      const known = findByKey(key);
      if (known) {
        if (ended(known)) return known;
        return change(known.id, () => ({ state: 'RUNNING', errorCode: null, errorMessage: null }));
      }
      const nothing = { calls: 0, promptTokens: 0, replyTokens: 0, interactions: 0 };
      const none = { lostCalls: 0, lostTokens: 0, pendingCalls: 0, pendingTokens: 0 };
      const noTime = { spentMs: 0, pendingMs: 0 };
      insert({
        ...rest,
        ...nothing,
        ...none,
        ...noTime,
        key,
        organismId: organism.id,
        runId: run?.id ?? null,
        state: 'RUNNING',
        engineVersion: packageVersion(),
        createdAt: new Date().toISOString(),
      });
      return findByKey(key) as AgentRunRow;
    }),

    /** Counts a call that is about to be made, and the most tokens its reply may have. */
    reserve: (run: AgentRunRow, tokens: number): AgentRunRow =>
      change(run.id, ({ pendingCalls, pendingTokens }) => ({
        pendingCalls: pendingCalls + 1,
        pendingTokens: pendingTokens + tokens,
      })),
    /** Takes back tokens that a reply did not have. */
    release: (run: AgentRunRow, tokens: number): AgentRunRow =>
      change(run.id, ({ pendingTokens }) => ({ pendingTokens: pendingTokens - tokens })),
    /** Counts milliseconds of work that no message has told of yet. */
    pass: (run: AgentRunRow, ms: number): AgentRunRow =>
      change(run.id, ({ pendingMs }) => ({ pendingMs: pendingMs + ms })),
    /** Counts what is pending as lost: no message came of it. */
    lose: (run: AgentRunRow): AgentRunRow =>
      change(run.id, (row) => ({
        calls: row.calls + row.pendingCalls,
        replyTokens: row.replyTokens + row.pendingTokens,
        lostCalls: row.lostCalls + row.pendingCalls,
        lostTokens: row.lostTokens + row.pendingTokens,
        pendingCalls: 0,
        pendingTokens: 0,
      })),
    /** Adds what a message took; whatever was pending is in it. */
    spend: (run: AgentRunRow, spent: AgentSpent): AgentRunRow =>
      change(run.id, (row) => ({
        calls: row.calls + spent.calls,
        promptTokens: row.promptTokens + spent.promptTokens,
        replyTokens: row.replyTokens + spent.replyTokens,
        interactions: row.interactions + spent.interactions,
        spentMs: row.spentMs + spent.ms,
        pendingMs: row.pendingMs - spent.ms,
        ...(spent.calls > 0 && { pendingCalls: 0, pendingTokens: 0 }),
      })),
    /**
     * Ends it, or lets it lie until it is asked for again.
     * @param how why not well; whether the answer claims to know the finetune
     * @throws CodedError CONFLICT where it has ended meanwhile
     */
    end: (
      run: AgentRunRow,
      state: Exclude<AgentState, 'RUNNING'>,
      {
        error,
        conclusive = null,
      }: { error?: { code: string; message: string }; conclusive?: boolean | null } = {},
    ): AgentRunRow =>
      change(run.id, (row) => {
        if (ended(row)) throw new CodedError('CONFLICT', `agent run ${row.key} has ended meanwhile`);
        return {
          state,
          errorCode: error?.code ?? null,
          errorMessage: error?.message ?? null,
          conclusive,
          finishedAt: state === 'STOPPED' ? null : new Date().toISOString(),
        };
      }),

    all: listing(sqlite, {
      name: 'agentRuns',
      table: agentRuns,
      where: `${lists} and ${filter}`,
      parameters: (_: null, filters: AgentRunFilters) => bind(filters),
      order,
      ...newestFirst,
      ...asked,
    }),
    ofOrganism: listing(sqlite, {
      name: 'organism.agentRuns',
      table: agentRuns,
      where: `agent_runs.organism_id = @organismId and ${filter}`,
      parameters: (organism: OrganismRow, filters: AgentRunFilters) => ({
        organismId: organism.id,
        ...bind(filters),
      }),
      order,
      ...newestFirst,
      ...asked,
    }),
  };
}
