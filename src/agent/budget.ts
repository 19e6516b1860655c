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

/** The budget of calls or tokens has been used up: the agent run ends. */
export class SpentError extends CodedError {
  constructor(message: string) {
    super('BUDGET_EXHAUSTED', message);
  }
}

/** More than any provider counts for one call. */
const mostCounted = 1e9;
const isCount = (tokens: number | null): tokens is number => tokens !== null && tokens <= mostCounted;

/** Tokens of a reply; the most it may have had where the provider did not count, or counted none or more than can be. */
export const replyTokensOf = ({ usage: { completionTokens } }: ChatReply, most: number): number =>
  isCount(completionTokens) && completionTokens > 0 ? completionTokens : most;

/** Tokens of a prompt; 0 where the provider did not count, or counted more than can be. */
export const promptTokensOf = ({ usage: { promptTokens } }: ChatReply): number =>
  isCount(promptTokens) ? promptTokens : 0;

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
    onFailure,
  }: {
    store: Store;
    agentRun: AgentRunRow;
    lease: Lease;
    /** Of the agent run, what is pending in the store not taken off. */
    left: () => Pick<AgentBudget, 'calls' | 'tokens'>;
    onFailure: (failure: ProviderError) => void;
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
          throw new SpentError('the calls or tokens allowed have been used up');
        store.agentRuns.reserve(agentRun, request.maxTokens);
      });
      try {
        const reply = await provider.chat(request, options);
        release(request.maxTokens - replyTokensOf(reply, request.maxTokens));
        return reply;
      } catch (error) {
        if (error instanceof ProviderError) {
          onFailure(error);
          if (!error.mayCost) release(request.maxTokens);
        }
        throw error;
      }
    },
  };
}
