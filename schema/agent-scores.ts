import type { AgentAttempt } from '../src/db/index.ts';
import {
  type AgentLimits,
  type AgentSetting,
  bySetting,
  claimsOf,
  type OfOrganism,
  scoresOf,
} from '../src/graders/agent-scores.ts';
import { type OfGroup, overOrganisms } from '../src/graders/statistics.ts';
import { BaseModelRef } from './base-model.ts';
import { builder } from './builder.ts';
import { costs } from './cost.ts';
import { AgentKindEnum, AgentPairEnum, RelevanceGroupingEnum } from './enums.ts';
import { checkAsked, filterCost } from './filter.ts';
import { OrganismFilter } from './filters.ts';
import { graderName } from './grader.ts';
import { intervalCost, intervalOf, IntervalRef, intervalRule } from './interval.ts';
import { compareNames } from './names.ts';
import { OrganismRef } from './organism.ts';
import { search, spend } from './spend.ts';

const noLimit = 'Null: no limit.';

const LimitsRef = builder.objectRef<AgentLimits>('AgentBudget').implement({
  description: 'The most that an agent may take.',
  fields: (t) => ({
    calls: t.exposeInt('calls', {
      nullable: true,
      description: `Replies, those that failed included. ${noLimit}`,
    }),
    tokens: t.exposeFloat('tokens', {
      nullable: true,
      description: `Tokens of all replies, 1 or more, no other unit. ${noLimit}`,
    }),
    interactions: t.exposeInt('interactions', {
      nullable: true,
      description: `Prompts put to the models. ${noLimit}`,
    }),
    seconds: t.exposeFloat('seconds', { nullable: true, description: `Seconds of work. ${noLimit}` }),
  }),
});

const SettingRef = builder.objectRef<AgentSetting>('AgentSetting').implement({
  description: 'What agent runs have in common, all but the organism and the number of the attempt.',
  fields: (t) => ({
    kind: t.expose('kind', { type: AgentKindEnum, description: 'What they have to go by.' }),
    pair: t.expose('pair', { type: AgentPairEnum, description: 'Which two models they are shown.' }),
    provider: t.exposeString('provider', {
      nullable: true,
      description: 'How the language model is reached. Null without one.',
    }),
    model: t.exposeString('model', {
      nullable: true,
      description: 'The language model that is the agent; null without one.',
    }),
    version: t.exposeInt('version', { description: 'Version of the procedure.' }),
    promptDigest: t.exposeString('promptDigest', {
      nullable: true,
      description: 'SHA-256 of the instructions and the tools, in hex; null for one that asks nobody.',
    }),
    depth: t.exposeFloat('depth', {
      nullable: true,
      description:
        'Which layer is read, 0 (first block) to 1 (last), no unit; 0.5 is the middle as published. Null for a black box.',
    }),
    budget: t.field({
      type: LimitsRef,
      nullable: true,
      description: 'What they may take; null for one that asks nobody.',
      resolve: ({ budget }) => budget,
    }),
    parameters: t.expose('rest', { type: 'JSON', description: 'Whatever else decides them.' }),
  }),
});

const AggregateRef = builder.objectRef<OfGroup>('AgentScoreAggregate').implement({
  description: 'What one number of each organism of a group comes to; every organism counts once.',
  fields: (t) => ({
    mean: t.exposeFloat('mean', { description: 'Mean over organisms, in the unit of the number.' }),
    deviation: t.exposeFloat('deviation', {
      nullable: true,
      description:
        'Standard deviation over organisms, in the same unit, with n − 1 in the denominator. Null for one organism alone.',
    }),
    interval: t.field({
      type: IntervalRef,
      ...costs({ weight: intervalCost }),
      nullable: true,
      description: `Of the mean, over organisms, in the same unit. ${intervalRule}`,
      resolve: (aggregate, _, context) => intervalOf(aggregate, aggregate.organisms, context),
    }),
  }),
});

const MemberRef = builder.objectRef<OfOrganism>('AgentScore').implement({
  description: 'What the scored attempts at one organism come to.',
  fields: (t) => ({
    organism: t.field({
      type: OrganismRef,
      description: 'What they try to find out.',
      resolve: ({ organism }, _, { store }) => store.organisms.get(organism),
    }),
    count: t.exposeInt('count', { description: 'Attempts with a score, 1 or more.' }),
    mean: t.exposeFloat('mean', { description: 'Mean score over them, in the unit of the grader.' }),
    max: t.exposeFloat('max', {
      description:
        'The best of them, in the unit of the grader; the more attempts, the higher by chance alone.',
    }),
  }),
});

interface Group {
  kind: string | null;
  base: string | null;
  setting: AgentSetting;
  attempts: AgentAttempt[];
  scores: OfOrganism[];
}

const GroupRef = builder.objectRef<Group>('AgentScoreGroup').implement({
  description: 'Agent runs of one setting, and what the scores of their answers come to.',
  fields: (t) => ({
    kind: t.exposeString('kind', {
      nullable: true,
      description: 'The kind of all their organisms. Null when they are not grouped by kind.',
    }),
    baseModel: t.field({
      type: BaseModelRef,
      nullable: true,
      description:
        'The base of all their organisms. Null when they are not grouped by base, and for the group of those whose base the viewer does not see.',
      resolve: ({ base }, _, { store }) => (base === null ? null : store.models.find(base)),
    }),
    setting: t.field({
      type: SettingRef,
      description: 'What they have in common.',
      resolve: ({ setting }) => setting,
    }),
    attempts: t.int({
      description: 'Agent runs, 1 or more, those without an answer included.',
      resolve: ({ attempts }) => attempts.length,
    }),
    answered: t.int({
      description: 'Agent runs with an answer.',
      resolve: ({ attempts }) => attempts.filter(({ agentRun }) => agentRun.state === 'COMPLETED').length,
    }),
    count: t.int({
      description: 'Organisms with a score, 0 or more.',
      resolve: ({ scores }) => scores.length,
    }),
    mean: t.field({
      type: AggregateRef,
      nullable: true,
      description: 'Over organisms, of the mean score over attempts. Null without a score.',
      resolve: ({ scores }) => overOrganisms(scores.map(({ mean }) => mean)),
    }),
    max: t.field({
      type: AggregateRef,
      nullable: true,
      description: 'Over organisms, of the best score of their attempts. Null without a score.',
      resolve: ({ scores }) => overOrganisms(scores.map(({ max }) => max)),
    }),
    claims: t.field({
      type: AggregateRef,
      nullable: true,
      description:
        'Over organisms, of the share of answers that claim to know what the finetune is, 0 to 1; of null pairs the false-positive rate. Null without an answer.',
      resolve: ({ attempts }) => overOrganisms(claimsOf(attempts).map(({ mean }) => mean)),
    }),
    members: t.field({
      type: [MemberRef],
      ...costs({ assumedSize: 10 }),
      description: 'The organisms with a score one by one, by name.',
      resolve: ({ scores }) => scores,
    }),
  }),
});

builder.queryField('agentScoreTable', (t) =>
  t.field({
    type: [GroupRef],
    ...costs({ weight: 100, assumedSize: 20, ofArguments: ({ where }) => filterCost(where) }),
    nullable: { list: true, items: false },
    description:
      'Scores of agents’ answers by what they could spend, beside black boxes and null pairs: by kind and base of the organisms, organisms before null pairs, then by agent and rising budget. Agent runs count that read the newest run of their organism, or none; of several grades of an answer the last. Null when there is no such grader here.',
    args: {
      grader: t.arg.string({
        description: `Whose scores: ${graderName}. Null or absent: nobody’s, only attempts, answers and claims.`,
      }),
      where: t.arg({ type: OrganismFilter, description: 'Only organisms that match. Null or absent: all.' }),
      groupBy: t.arg({
        type: [RelevanceGroupingEnum],
        required: true,
        defaultValue: [],
        description:
          'What the organisms of a group have in common beside the setting; of nothing, all are together.',
      }),
    },
    resolve(_, { grader: name, where, groupBy }, context) {
      const { store } = context;
      checkAsked({ where });
      spend(context, filterCost(where));
      const grader = typeof name === 'string' ? store.graders.named(name) : null;
      if (grader === undefined) return null;
      search(context, () => store.agentScores.looksAt(where));
      const attempts = store.agentScores.all(grader, where, context.rowsLeft + 1);
      spend(context, attempts.length);
      return grouped(attempts, { byKind: groupBy.includes('KIND'), byBase: groupBy.includes('BASE') });
    },
  }),
);

function grouped(
  attempts: readonly AgentAttempt[],
  { byKind, byBase }: { byKind: boolean; byBase: boolean },
): Group[] {
  const groups = new Map<string, { kind: string | null; base: string | null; attempts: AgentAttempt[] }>();
  for (const attempt of attempts) {
    const [kind, base] = [byKind ? attempt.kind : null, byBase ? attempt.base : null];
    const name = JSON.stringify([kind, base]);
    const group = groups.get(name) ?? { kind, base, attempts: [] };
    groups.set(name, group);
    group.attempts.push(attempt);
  }
  return [...groups.values()]
    .sort((a, b) => compareNames(a.kind, b.kind) || compareNames(a.base, b.base))
    .flatMap(({ kind, base, attempts: own }) =>
      bySetting(own).map(({ setting, attempts: alike }) => ({
        ...{ kind, base, setting, attempts: alike },
        scores: scoresOf(alike),
      })),
    );
}
