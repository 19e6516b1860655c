import type { AgentMessageRow, AgentRunRow, Store } from '../db/index.ts';
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
}

/** What is left when these messages have been paid, and what was lost. */
export function leftOf(
  budget: AgentBudget,
  { lostCalls, lostTokens }: Pick<AgentRunRow, 'lostCalls' | 'lostTokens'>,
  messages: readonly AgentMessageRow[],
): AgentBudget {
  const sum = (of: (message: AgentMessageRow) => number) =>
    messages.reduce((total, one) => total + of(one), 0);
  return {
    calls: budget.calls - lostCalls - sum(({ spentCalls }) => spentCalls),
    tokens: Math.max(0, budget.tokens - lostTokens - sum(({ replyTokens }) => replyTokens)),
    interactions: budget.interactions - sum(({ interactions }) => interactions),
  };
}

/** Tokens of a reply; the most it may have had where the provider did not count. */
export const replyTokensOf = ({ usage }: ChatReply, most: number): number => usage.completionTokens ?? most;

/**
 * A provider that is asked only while calls and tokens are left. Each call is written down before it is made, with the most its reply can
 * have: whatever ends this process, what may have been paid for counts.
 * @param left of the agent run, what is pending in the store not taken off
 */
export function withinBudget(
  provider: Provider,
  store: Store,
  agentRun: AgentRunRow,
  left: () => Pick<AgentBudget, 'calls' | 'tokens'>,
): Provider {
  return {
    ...provider,
    async chat(request, options) {
      store.transaction(() => {
        const { calls, tokens } = left();
        const { pendingCalls, pendingTokens } = store.agentRuns.getById(agentRun.id);
        if (calls - pendingCalls < 1 || tokens - pendingTokens < request.maxTokens)
          throw new CodedError('BUDGET_EXHAUSTED', 'the calls or tokens allowed have been used up');
        store.agentRuns.reserve(agentRun, request.maxTokens);
      });
      try {
        const reply = await provider.chat(request, options);
        store.agentRuns.release(agentRun, request.maxTokens - replyTokensOf(reply, request.maxTokens));
        return reply;
      } catch (error) {
        if (error instanceof ProviderError && !error.mayCost)
          store.agentRuns.release(agentRun, request.maxTokens);
        throw error;
      }
    },
  };
}
