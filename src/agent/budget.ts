import type { AgentMessageRow, AgentRunRow, Lease, Store } from '../db/index.ts';
import { type ChatReply, type Provider, ProviderError } from '../graders/index.ts';
import { CodedError } from '../lib/coded-error.ts';

/** The most that an agent may take. */
export interface AgentBudget {
  /** Replies asked for, those that failed included. */
  calls: number;
  /** Of all replies together, their thinking included. */
  tokens: number;
  /** Prompts put to models. */
  interactions: number;
  /** Of work, whichever processes did it; null: as many as it takes. */
  seconds: number | null;
}

/** @throws CodedError INVALID_ARGUMENT */
export function checkBudget(budget: AgentBudget): void {
  for (const [name, least] of [
    ['calls', 1],
    ['tokens', 1],
    ['interactions', 0],
    ['seconds', 1],
  ] as const) {
    const value = budget[name];
    if (value !== null && (!Number.isSafeInteger(value) || value < least))
      throw new CodedError(
        'INVALID_ARGUMENT',
        `the budget of ${name} is ${value}; a whole number from ${least} is expected`,
      );
  }
}

/**
 * What is left when these messages have been paid, and what was lost; seconds are whole ones.
 * @param untoldMs milliseconds of work that no message tells of
 */
export function leftOf(
  budget: AgentBudget,
  { lostCalls, lostTokens }: Pick<AgentRunRow, 'lostCalls' | 'lostTokens'>,
  messages: readonly AgentMessageRow[],
  untoldMs = 0,
): AgentBudget {
  const sum = (of: (message: AgentMessageRow) => number) =>
    messages.reduce((total, one) => total + of(one), 0);
  const { seconds } = budget;
  const leftMs = seconds === null ? null : 1000 * seconds - untoldMs - sum(({ spentMs }) => spentMs);
  return {
    calls: budget.calls - lostCalls - sum(({ spentCalls }) => spentCalls),
    tokens: Math.max(0, budget.tokens - lostTokens - sum(({ replyTokens }) => replyTokens)),
    interactions: budget.interactions - sum(({ interactions }) => interactions),
    seconds: leftMs === null ? null : Math.max(0, Math.floor(leftMs / 1000)),
  };
}

/** Tokens of a reply; the most it may have had where the provider did not count. */
export const replyTokensOf = ({ usage }: ChatReply, most: number): number => usage.completionTokens ?? most;

/**
 * A provider that is asked only while calls and tokens are left, and only by the process that has the run. Each call is written down before
 * it is made, with the most its reply can have: whatever ends this process, what may have been paid for counts.
 */
export function withinBudget(
  provider: Provider,
  {
    store,
    agentRun,
    lease,
    left,
  }: {
    store: Store;
    agentRun: AgentRunRow;
    lease: Lease;
    /** Of the agent run, what is pending in the store not taken off. */
    left: () => Pick<AgentBudget, 'calls' | 'tokens'>;
  },
): Provider {
  const release = (tokens: number) =>
    store.transaction(() => {
      if (store.leases.holds(lease)) store.agentRuns.release(agentRun, tokens);
    });
  return {
    ...provider,
    async chat(request, options) {
      store.transaction(() => {
        store.leases.demand(lease);
        const { calls, tokens } = left();
        const { pendingCalls, pendingTokens } = store.agentRuns.getById(agentRun.id);
        if (calls - pendingCalls < 1 || tokens - pendingTokens < request.maxTokens)
          throw new CodedError('BUDGET_EXHAUSTED', 'the calls or tokens allowed have been used up');
        store.agentRuns.reserve(agentRun, request.maxTokens);
      });
      try {
        const reply = await provider.chat(request, options);
        release(request.maxTokens - replyTokensOf(reply, request.maxTokens));
        return reply;
      } catch (error) {
        if (error instanceof ProviderError && !error.mayCost) release(request.maxTokens);
        throw error;
      }
    },
  };
}
