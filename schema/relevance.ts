import type { GraderRow, OrganismRelevance, RelevanceRule, RelevanceSpec } from '../src/db/index.ts';
import { type OfGroup, overOrganisms, overPositions, type OverPositions } from '../src/graders/statistics.ts';
import { BaseModelRef } from './base-model.ts';
import { builder, type GraphContext } from './builder.ts';
import { costs } from './cost.ts';
import { ProjectionVariantEnum, RelevanceAgreementEnum, RelevanceGroupingEnum } from './enums.ts';
import { badUserInput } from './errors.ts';
import { OrganismFilter } from './filters.ts';
import { checkAsked, filterCost } from './filter.ts';
import { graderName, GraderRef } from './grader.ts';
import { intervalCost, intervalOf, IntervalRef, intervalRule } from './interval.ts';
import { compareNames } from './names.ts';
import { OrganismRef } from './organism.ts';
import { RunLayerRef } from './run-layer.ts';
import { RunRef } from './run.ts';
import { search, spend } from './spend.ts';

// ---- an organism ----

interface Summary extends OrganismRelevance, Omit<OverPositions, 'positions'> {
  judged: number;
}

/** Null where no place has a verdict. */
function summaryOf(relevance: OrganismRelevance): Summary | null {
  const verdicts = relevance.places.flatMap(({ position, value }) =>
    value === null ? [] : [{ position, value }],
  );
  const over = overPositions(verdicts);
  if (!over) return null;
  const { positions: judged, max, maxAt, mean } = over;
  return {
    ...relevance,
    judged,
    max,
    maxAt,
    mean,
    get interval() {
      return over.interval;
    },
  };
}

const agreementRule =
  'When a token counts as relevant. Null for a grader that judges each token once, as offline-relevance does.';
const rotationsRule =
  'In how many orders each list of tokens was shown, 1 or more. Null for a grader that judges each token once.';

const RelevanceRef = builder.objectRef<Summary>('Relevance');
RelevanceRef.implement({
  description:
    'What the relevance of one organism’s readings comes to over positions, in one layer of one run: the newest run that was graded so. Its grades are all of one rule, against one description and the same corpora: those of the grade that was asked for last. Of a place counts its reading at the scale that the method chose, by preference EXACT, then the newest.',
  fields: (t) => ({
    max: t.exposeFloat('max', {
      description:
        'The largest share of relevant tokens over positions, 0 to 1, as published. The more positions, the higher by chance alone: look at the mean beside it.',
    }),
    maxAt: t.exposeInt('maxAt', { description: 'The first position that has it, 0-based, BOS included.' }),
    mean: t.exposeFloat('mean', { description: 'The mean share over positions, 0 to 1.' }),
    interval: t.field({
      type: IntervalRef,
      ...costs({ weight: intervalCost }),
      nullable: true,
      description: `Of the mean, over positions, 0 to 1. ${intervalRule}`,
      resolve: (summary, _, context) => intervalOf(summary, summary.judged, context),
    }),
    positions: t.exposeInt('judged', { description: 'Positions with a verdict, 1 or more.' }),
    invalid: t.int({
      description: 'Positions that were graded without a verdict; they are left out.',
      resolve: ({ places, judged }) => places.length - judged,
    }),
    variant: t.expose('variant', { type: ProjectionVariantEnum, description: 'Which vectors were read.' }),
    agreement: t.expose('agreement', {
      type: RelevanceAgreementEnum,
      nullable: true,
      description: agreementRule,
    }),
    rotations: t.exposeInt('rotations', { nullable: true, description: rotationsRule }),
    method: t.exposeString('method', { description: 'How they were read.' }),
    grader: t.field({ type: GraderRef, description: 'Who graded.', resolve: ({ grader }) => grader }),
    organism: t.field({
      type: OrganismRef,
      description: 'Whose readings they are.',
      resolve: ({ organism }, _, { store }) => store.organisms.get(organism),
    }),
    run: t.field({
      type: RunRef,
      nullable: true,
      description: 'The run they were read from; null if it was deleted meanwhile.',
      resolve: ({ run }, _, { store }) => store.runs.findByKey(run),
    }),
    layer: t.field({
      type: RunLayerRef,
      nullable: true,
      description: 'The layer they were read from; null if it was deleted meanwhile.',
      resolve: ({ run, layer }, _, { store }) => store.layers.findByKey(`${run}.L${layer}`),
    }),
  }),
});

const readings = builder.args((t) => ({
  grader: t.string({ required: true, description: `Whose grades: ${graderName}.` }),
  method: t.string({ required: true, defaultValue: 'patchscope', description: 'How vectors were read.' }),
  variant: t.field({
    type: ProjectionVariantEnum,
    required: true,
    defaultValue: 'DIFF',
    description: 'Which vectors: the diffs, or the means of one model to compare with.',
  }),
  depth: t.float({
    required: true,
    defaultValue: 0.5,
    description:
      'Which layer: 0 to 1, else an error, 0 for the first block and 1 for the last; of L blocks the one that is trunc(depth · (L − 1)), and no other.',
  }),
}));

/** Undefined where the viewer sees no such grader. @throws BAD_USER_INPUT */
function specOf(
  { store }: GraphContext,
  { grader: name, ...rest }: Omit<RelevanceSpec, 'grader'> & { grader: string },
): RelevanceSpec | undefined {
  const { depth } = rest;
  if (!(depth >= 0 && depth <= 1)) throw badUserInput(`depth must be 0 to 1, not ${depth}.`);
  const grader: GraderRow | undefined = store.graders.named(name);
  return grader && { grader, method: rest.method, variant: rest.variant, depth };
}

builder.objectField(OrganismRef, 'relevance', (t) =>
  t.field({
    type: RelevanceRef,
    ...costs({ weight: 10 }),
    nullable: true,
    description:
      'How much of what its vectors were read as points to its finetune. Null when there is no such grader here, or it judged no such reading.',
    args: readings,
    resolve(organism, args, context) {
      const spec = specOf(context, args);
      if (!spec) return null;
      search(context, () => context.store.relevance.looksAtOf(organism, spec));
      const { rows, organisms } = context.store.relevance.ofOrganism(organism, spec, context.rowsLeft + 1);
      spend(context, rows);
      return organisms[0] ? summaryOf(organisms[0]) : null;
    },
  }),
);

// ---- groups of organisms ----

const AggregateRef = builder.objectRef<OfGroup>('RelevanceAggregate').implement({
  description: 'What one number of each organism of a group comes to.',
  fields: (t) => ({
    mean: t.exposeFloat('mean', { description: 'Mean over organisms, a share of 0 to 1.' }),
    deviation: t.exposeFloat('deviation', {
      nullable: true,
      description:
        'Standard deviation over organisms of that share, with n − 1 in the denominator, no unit. Null for one organism alone.',
    }),
    interval: t.field({
      type: IntervalRef,
      ...costs({ weight: intervalCost }),
      nullable: true,
      description: `Of the mean, over organisms, 0 to 1. ${intervalRule}`,
      resolve: (aggregate, _, context) => intervalOf(aggregate, aggregate.organisms, context),
    }),
  }),
});

interface Group extends RelevanceRule {
  kind: string | null;
  base: string | null;
  members: Summary[];
}

const overMembers = (members: readonly Summary[], of: (summary: Summary) => number): OfGroup =>
  overOrganisms(members.map(of)) as OfGroup; // no group is empty

const GroupRef = builder.objectRef<Group>('RelevanceGroup').implement({
  description:
    'Organisms that have the kind, the base or both in common and were graded by the same rule, and what their relevance comes to.',
  fields: (t) => ({
    kind: t.exposeString('kind', {
      nullable: true,
      description: 'The kind of all of them. Null when they are not grouped by kind.',
    }),
    baseModel: t.field({
      type: BaseModelRef,
      nullable: true,
      description:
        'The base of all of them. Null when they are not grouped by base, and for the group of those whose base the viewer does not see.',
      resolve: ({ base }, _, { store }) => (base === null ? null : store.models.find(base)),
    }),
    agreement: t.expose('agreement', {
      type: RelevanceAgreementEnum,
      nullable: true,
      description: agreementRule,
    }),
    rotations: t.exposeInt('rotations', { nullable: true, description: rotationsRule }),
    count: t.int({
      description: 'Number of organisms, 1 or more.',
      resolve: ({ members }) => members.length,
    }),
    max: t.field({
      type: AggregateRef,
      description: 'Over organisms, of the largest share over positions.',
      resolve: ({ members }) => overMembers(members, ({ max }) => max),
    }),
    mean: t.field({
      type: AggregateRef,
      description: 'Over organisms, of the mean share over positions.',
      resolve: ({ members }) => overMembers(members, ({ mean }) => mean),
    }),
    members: t.field({
      type: [RelevanceRef],
      ...costs({ assumedSize: 10 }),
      description: 'The organisms one by one, by name.',
      resolve: ({ members }) => members,
    }),
  }),
});

builder.queryField('relevanceTable', (t) =>
  t.field({
    type: [GroupRef],
    ...costs({ weight: 100, assumedSize: 10, ofArguments: ({ where }) => filterCost(where) }),
    nullable: { list: true, items: false },
    description:
      'Relevance by kinds and bases of organisms, by kind, then by the name of the base: the published tables. Organisms whose tokens were judged by different rules are in different groups. An organism without a verdict is in none of them. Null when there is no such grader here.',
    args: {
      ...readings,
      where: t.arg({ type: OrganismFilter, description: 'Only organisms that match. Null or absent: all.' }),
      groupBy: t.arg({
        type: [RelevanceGroupingEnum],
        required: true,
        defaultValue: ['KIND', 'BASE'],
        description: 'What the organisms of a group have in common; of nothing, all are one group.',
      }),
    },
    resolve(_, { where, groupBy, ...args }, context) {
      checkAsked({ where });
      spend(context, filterCost(where));
      const spec = specOf(context, args);
      if (!spec) return null;
      search(context, () => context.store.relevance.looksAt(where));
      const { rows, organisms } = context.store.relevance.all(spec, where, context.rowsLeft + 1);
      spend(context, rows);
      return grouped(organisms, { byKind: groupBy.includes('KIND'), byBase: groupBy.includes('BASE') });
    },
  }),
);

function grouped(
  organisms: readonly OrganismRelevance[],
  { byKind, byBase }: { byKind: boolean; byBase: boolean },
): Group[] {
  const groups = new Map<string, Group>();
  for (const relevance of organisms) {
    const summary = summaryOf(relevance);
    if (!summary) continue;
    const [kind, base] = [byKind ? relevance.kind : null, byBase ? relevance.base : null];
    const { agreement, rotations } = relevance;
    const name = JSON.stringify([kind, base, agreement, rotations]);
    const group = groups.get(name) ?? { kind, base, agreement, rotations, members: [] };
    groups.set(name, group);
    group.members.push(summary);
  }
  return [...groups.values()].sort(
    (a, b) =>
      compareNames(a.kind, b.kind) ||
      compareNames(a.base, b.base) ||
      compareNames(a.agreement, b.agreement) ||
      (a.rotations ?? 0) - (b.rotations ?? 0),
  );
}
