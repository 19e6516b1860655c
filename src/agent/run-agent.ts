import {
  agentRunLease,
  type AgentPair,
  type AgentRunRow,
  type AgentRunSpec,
  type HypothesisRow,
  type OrganismRow,
  owner,
  type RunRow,
  type Store,
  type Viewer,
} from '../db/index.ts';
import { holdLease, processName } from '../runs/hold-lease.ts';
import { graphOf } from './ask-graph.ts';
import { Blinder, secretsOf } from './blinder.ts';
import { type AgentBudget, checkBudget } from './budget.ts';
import { everybodysTexts, instructionsDigest } from './instructions.ts';
import type { Answering, Models } from './models.ts';
import { layerToRead } from './places.ts';
import type { CallForm } from './reply.ts';
import { Session, type SessionOptions } from './session.ts';
import { type Tool, tools as allTools } from './tools/index.ts';

export interface AgentOptions extends SessionOptions {
  /** Whose vectors are read; null for a black box, which only talks to models. */
  run: RunRow | null;
  pair?: AgentPair | undefined;
  budget?: Partial<AgentBudget> | undefined;
  /** Decoder block to read; chosen when left out. */
  layer?: number | undefined;
  positions?: readonly number[] | undefined;
  /** Opens the models to talk to; null where none can be asked. */
  models: ((answering: Answering) => Models) | null;
  answering?: Partial<Answering> | undefined;
  /** Of a reply at most. */
  replyTokens?: number | undefined;
  /** Null leaves it to the provider. */
  temperature?: number | null | undefined;
  /** Tells independent attempts apart. */
  repeat?: number | undefined;
  seed?: number | undefined;
  /** Whose eyes the graph is seen with; the owner's by default. */
  viewer?: Viewer | undefined;
  /** How long this process keeps the run when nothing is heard of it, in milliseconds. */
  leaseMs?: number | undefined;
  /** In place of ours, for tests. */
  tools?: readonly Tool[] | undefined;
}

export interface AgentOutcome {
  agentRun: AgentRunRow;
  /** Null where it ended without one. */
  answer: HypothesisRow | null;
  /** It had ended before, and nobody was asked. */
  reused: boolean;
}

/** Raised whenever the same replies would lead to another transcript. */
const version = 2;
/** As published (method.md §10.1), with fewer calls; of the published numbers of interactions the smaller. */
export const defaultBudget: AgentBudget = { calls: 16, tokens: 100_000, interactions: 5, seconds: null };
export const defaultAnswering: Answering = { tokens: 256, temperature: 0.8, plain: false };
const defaults = { replyTokens: 10_000, positions: [0, 1, 2, 3, 4] };

/**
 * Lets an agent find out what an organism was finetuned on, through the graph and by talking to the models. Every message is stored as it
 * comes, so that a process that dies loses at most the call under way: asked again, the run goes on where it was, and replies that were paid for
 * are not asked for again. An agent run that has ended is returned as it stands. One process at a time works on a run.
 * @throws LeakError, ProviderError, CodedError BUDGET_EXHAUSTED, NO_ANSWER, CONFLICT (another process is at it); the signal's reason. The
 *   transcript is kept
 */
export async function runAgent(
  store: Store,
  organism: OrganismRow,
  options: AgentOptions,
): Promise<AgentOutcome> {
  const {
    run,
    pair = 'ORGANISM',
    provider,
    viewer = owner,
    seed = 0,
    repeat = 0,
    temperature = null,
    leaseMs,
  } = options;
  const budget: AgentBudget = { ...defaultBudget, ...options.budget };
  const answering: Answering = { ...defaultAnswering, ...options.answering };
  checkBudget(budget);
  const ask = graphOf(store.as(viewer));
  const reading = run && {
    run,
    layer: options.layer ?? (await layerToRead(ask, run.key)),
    positions: options.positions ?? defaults.positions,
  };
  const models = budget.interactions > 0 ? (options.models?.(answering) ?? null) : null;
  const form: CallForm = provider.callsFunctions ? 'FUNCTION' : 'TEXT';
  const tools = (options.tools ?? allTools).filter(({ offered }) => offered({ reading, models }));
  const replyTokens = options.replyTokens ?? defaults.replyTokens;
  const about = { vectors: reading !== null };
  const { seconds, ...counts } = budget;
  const spec: AgentRunSpec = {
    organism,
    run,
    kind: run ? 'AGENT' : 'BLACK_BOX',
    pair,
    version,
    promptDigest: instructionsDigest(form, tools, about),
    provider: provider.name,
    endpoint: provider.endpoint,
    model: provider.model,
    parameters: {
      budget: { ...counts, ...(seconds !== null && { seconds }) },
      ...(reading && {
        ...{ layer: reading.layer, positions: [...reading.positions] },
        read: store.runReadings.countsOf(reading.run),
      }),
      ...(models && { answering: { ...answering } }),
      ...{ form, replyTokens, temperature, seed, repeat },
    },
  };
  const { agentRun, lease } = store.transaction(() => {
    const begun = store.agentRuns.begin(spec);
    const mine =
      begun.state === 'RUNNING' ? store.leases.take(agentRunLease(begun), processName(), leaseMs) : null;
    return { agentRun: begun, lease: mine };
  });
  if (!lease) {
    store.agentMessages.after(agentRun, -1).forEach((message) => options.onMessage?.(message));
    return { agentRun, answer: answerOf(store, agentRun), reused: true };
  }
  const held = holdLease(store, lease, { ms: leaseMs, onBeat: () => session.pass() });
  const signal = options.signal ? AbortSignal.any([options.signal, held.signal]) : held.signal;
  const session = new Session({
    ...{ store, agentRun, held, budget, form, tools, replyTokens, temperature, seed, about },
    options: { ...options, signal },
    blinder: Blinder.of(secretsOf(store, organism, run), everybodysTexts()),
    desk: { store, ask, agentRun, pair, reading, models, signal },
  });
  try {
    await session.run();
    const ended = store.agentRuns.getById(agentRun.id);
    return { agentRun: ended, answer: answerOf(store, ended), reused: false };
  } catch (error) {
    session.stop(error);
    throw error;
  } finally {
    held.release();
    await models?.close();
  }
}

export const answerOf = (store: Store, agentRun: AgentRunRow): HypothesisRow | null =>
  store.hypotheses.finalOf(agentRun) ?? null;
