import type { AgentRunRow } from '../src/db/index.ts';
import { agentErrorOf, AgentErrorRef } from './agent-error.ts';
import { AgentMessageConnection, AgentMessageRef } from './agent-message.ts';
import { builder } from './builder.ts';
import { connection, connectionType } from './connection.ts';
import {
  AgentKindEnum,
  AgentPairEnum,
  AgentRoleEnum,
  AgentStateEnum,
  HypothesisStatusEnum,
} from './enums.ts';
import { filtered, orderedBy } from './filter.ts';
import { AgentRunFilter, AgentRunOrder } from './filters.ts';
import { HypothesisConnection, HypothesisRef } from './hypothesis.ts';
import { OrganismRef } from './organism.ts';
import { RunRef } from './run.ts';

export const AgentRunRef = builder.objectRef<AgentRunRow>('AgentRun');
export const AgentRunConnection = connectionType('AgentRun', AgentRunRef);

/** Arguments of every list of agent runs. */
export const agentRunFilters = builder.args((t) => ({
  where: t.field({ type: AgentRunFilter, description: 'Only agent runs that match. Null or absent: all.' }),
  orderBy: t.field({ type: [AgentRunOrder], description: orderedBy('newest first') }),
  kinds: t.field({
    type: [AgentKindEnum],
    description: 'Only those of one of these kinds. Null or absent: all.',
  }),
  states: t.field({
    type: [AgentStateEnum],
    description: 'Only those in one of these states. Null or absent: all.',
  }),
}));

builder.node(AgentRunRef, {
  description:
    'An attempt to find out what an organism was finetuned on, by an agent that sees neither names nor ground truth. It is seen as its organism is.',
  id: { resolve: (run) => run.key },
  loadOne: (key, { store }) => store.agentRuns.findByKey(key),
  fields: (t) => ({
    key: t.exposeString('key', {
      description:
        'Readable identity, 20 hex digits that follow from what was asked: the same request is the same agent run.',
    }),
    kind: t.expose('kind', { type: AgentKindEnum, description: 'What it has to go by.' }),
    pair: t.expose('pair', { type: AgentPairEnum, description: 'Which two models it is shown.' }),
    version: t.exposeInt('version', {
      description: 'Version of the procedure; it grows when the same replies would lead elsewhere.',
    }),
    promptDigest: t.exposeString('promptDigest', {
      nullable: true,
      description:
        'SHA-256 of the instructions and the tools, in hex; null for one that asks no language model.',
    }),
    provider: t.exposeString('provider', {
      nullable: true,
      description:
        'How the language model is reached, an open set: openai-compatible, local. Null without one.',
    }),
    model: t.exposeString('model', {
      nullable: true,
      description: 'The language model that is the agent; null without one.',
    }),
    parameters: t.expose('parameters', {
      type: 'JSON',
      description:
        'Budgets (calls, tokens, interactions; seconds where there is a limit), the layer and positions that are read, how models answer, and whatever else decides it.',
    }),
    state: t.expose('state', { type: AgentStateEnum, description: 'Where it stands.' }),
    error: t.field({
      type: AgentErrorRef,
      nullable: true,
      description: 'Why there is no answer; null where there is one, or may still be.',
      resolve: agentErrorOf,
    }),
    conclusive: t.exposeBoolean('conclusive', {
      nullable: true,
      description:
        'Whether the answer claims to know what the finetune is; for the pair NULL a claim is a false positive. Null before the answer.',
    }),
    calls: t.exposeInt('calls', { description: 'Replies asked for, those that failed included.' }),
    promptTokens: t.exposeFloat('promptTokens', {
      description: 'Tokens of all prompts, 0 or more, no other unit; those of the replies that were counted.',
    }),
    replyTokens: t.exposeFloat('replyTokens', {
      description:
        'Tokens of all replies, 0 or more, no other unit; of those that broke off or were not counted, the most they may have had.',
    }),
    interactions: t.exposeInt('interactions', { description: 'Prompts that it put to the models.' }),
    seconds: t.float({
      description: 'Seconds that processes worked on it, 0 or more, pauses between them left out.',
      resolve: ({ spentMs, pendingMs }) => (spentMs + pendingMs) / 1000,
    }),
    engineVersion: t.exposeString('engineVersion', { description: 'Version of the engine that began it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was first asked for.' }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was completed or failed; null until then.',
    }),
    organism: t.field({
      type: OrganismRef,
      description: 'What it tries to find out.',
      resolve: (run, _, { store }) => store.organisms.getById(run.organismId),
    }),
    run: t.field({
      type: RunRef,
      nullable: true,
      description: 'The measurement whose differences it reads; null for a black box.',
      resolve: (run, _, { store }) => (run.runId === null ? null : store.runs.getById(run.runId)),
    }),
    answer: t.field({
      type: HypothesisRef,
      nullable: true,
      description: 'What it believes in the end; null before that, and where it failed.',
      resolve: (run, _, { store }) => store.hypotheses.finalOf(run),
    }),
    messages: t.connection(
      {
        type: AgentMessageRef,
        description: 'The transcript, each message as it was sent or came, also of an agent run that failed.',
        args: {
          roles: t.arg({
            type: [AgentRoleEnum],
            description: 'Only messages of these roles. Null or absent: all.',
          }),
        },
        resolve: (run, args, context) => connection(context, context.store.agentMessages.ofRun, run, args),
      },
      AgentMessageConnection,
    ),
    hypotheses: t.connection(
      {
        type: HypothesisRef,
        description:
          'Its board of hypotheses, as they were last put, and the answer; in the order they were added.',
        args: {
          statuses: t.arg({
            type: [HypothesisStatusEnum],
            description: 'Only hypotheses of these. Null or absent: all.',
          }),
        },
        resolve: (run, args, context) => connection(context, context.store.hypotheses.ofRun, run, args),
      },
      HypothesisConnection,
    ),
  }),
});

builder.queryFields((t) => ({
  agentRuns: t.connection(
    {
      type: AgentRunRef,
      description: 'The agent runs of every organism, newest first.',
      args: agentRunFilters,
      ...filtered,
      resolve: (_, args, context) => connection(context, context.store.agentRuns.all, null, args),
    },
    AgentRunConnection,
  ),
  agentRun: t.field({
    type: AgentRunRef,
    nullable: true,
    description: 'The agent run of this key; null when there is none.',
    args: { key: t.arg.string({ required: true, description: 'Its 20 hex digits.' }) },
    resolve: (_, { key }, { store }) => store.agentRuns.findByKey(key),
  }),
}));
