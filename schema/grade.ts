import type { ExchangeRow, GradeRow, HypothesisRow, ProjectionRow, SampleRow } from '../src/db/index.ts';
import type { JsonValue } from '../src/lib/canonical-json.ts';
import { builder } from './builder.ts';
import { connection, connectionType } from './connection.ts';
import { costs } from './cost.ts';
import { GradeScaleEnum } from './enums.ts';
import { ExchangeRef } from './exchange.ts';
import { filtered, orderedBy } from './filter.ts';
import { GradeFilter, GradeOrder } from './filters.ts';
import { GraderRef } from './grader.ts';
import { HypothesisRef } from './hypothesis.ts';
import { OrganismRef } from './organism.ts';
import { ProjectionRef } from './projection.ts';
import { SampleRef } from './sample.ts';
import { rowsOf, search, spend } from './spend.ts';

export const GradeRef = builder.objectRef<GradeRow>('Grade');
export const GradeConnection = connectionType('Grade', GradeRef);

const GradeSubjectRef = builder.unionType('GradeSubject', {
  description:
    'What is graded: a reading of a vector, a text of a steering experiment, or what an agent believes.',
  types: [ProjectionRef, SampleRef, HypothesisRef],
  resolveType(subject) {
    if ('agentRun' in subject) return 'Hypothesis';
    return 'experiment' in subject ? 'Sample' : 'Projection';
  },
});

const GradeMetricRef = builder.objectRef<{ name: string; value: number | null }>('GradeMetric').implement({
  description: 'A further number of a grade.',
  fields: (t) => ({
    name: t.exposeString('name', {
      description:
        'Which, an open set: candidates, relevant and unknown are numbers of tokens; weightedPercentage (relevant tokens by their probability) and trivialPercentage (merely frequent in the finetuning corpus) are shares of 0 to 1.',
    }),
    value: t.exposeFloat('value', {
      nullable: true,
      description: 'The number, 0 or more. Null where it is not defined, as a share of nothing.',
    }),
  }),
});

/** What reading an exchange takes beside its bytes: whose it is has to be found among all grades of its grader. */
const exchangeCost = 50;

builder.node(GradeRef, {
  description:
    'What a grader said of something: a verdict on one scale, or why there is none, with what it rests on. It is seen where its organism is.',
  id: { resolve: (grade) => grade.key },
  loadOne: (key, { store }) => store.grades.findByKey(key),
  fields: (t) => ({
    key: t.exposeString('key', {
      description: 'Readable identity: <subject>.grade.<name of the grader>.<twelve hex digits of the rest>.',
    }),
    scale: t.expose('scale', { type: GradeScaleEnum, description: 'What the verdict is measured on.' }),
    label: t.exposeString('label', {
      nullable: true,
      description:
        'The verdict in the grader’s words, such as COHERENT. Null where the scale is a number, and where there is no verdict.',
    }),
    value: t.exposeFloat('value', {
      nullable: true,
      description:
        'The verdict as a number: on SHARE 0 to 1, on SCORE 1 to 5. Null on the scale LABEL, and where there is no verdict.',
    }),
    invalid: t.exposeString('invalid', {
      nullable: true,
      description: 'Why there is no verdict, in words. Null where there is one.',
    }),
    rationale: t.exposeString('rationale', {
      nullable: true,
      description: 'What the grader gave as its reason; show it as text only. Null where it gave none.',
    }),
    tokenLabels: t.stringList({
      ...costs({ assumedSize: 20 }),
      nullable: { list: true, items: true },
      description:
        'Verdicts on the tokens of the projection, by rank: RELEVANT, IRRELEVANT or UNKNOWN, null for a token that was not judged. Null for a grade of a whole.',
      resolve: ({ tokenLabels }) => tokenLabels,
    }),
    metrics: t.field({
      type: [GradeMetricRef],
      ...costs({ assumedSize: 8 }),
      description: 'Further numbers, by name.',
      resolve: ({ metrics }) => Object.entries(metrics).map(([name, value]) => ({ name, value })),
    }),
    parameters: t.expose('parameters', {
      type: 'JSON',
      description:
        'Whatever beside grader and subject decides it, such as the SHA-256 of the corpora that were compared.',
    }),
    exchanges: t.field({
      type: [ExchangeRef],
      ...costs({ weight: exchangeCost, assumedSize: 5 }),
      nullable: { list: false, items: true },
      description:
        'The questions and replies that it was read from, in the order they were asked; empty where nobody was asked. Null in the place of one that was about something else, too, which the viewer does not see, or that is not kept.',
      resolve(grade, _, context) {
        if (grade.exchanges.length === 0) return [];
        spend(context, exchangeCost);
        search(context, () => context.store.gradeExchanges.looksAt());
        const found = context.store.gradeExchanges.of(grade);
        spend(context, rowsOf(JSON.stringify(found).length));
        return found as (ExchangeRow<JsonValue> | null)[];
      },
    }),
    engineVersion: t.exposeString('engineVersion', { description: 'Version of the engine that graded.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was saved here.' }),
    grader: t.field({
      type: GraderRef,
      description: 'Who said it.',
      resolve: ({ grader }) => grader,
    }),
    subject: t.field({
      type: GradeSubjectRef,
      description: 'What it is about.',
      resolve: ({ subject }) => subject.projection ?? subject.sample ?? subject.hypothesis,
    }),
    organism: t.field({
      type: OrganismRef,
      description: 'The organism that it is about.',
      resolve: ({ organismId }, _, { store }) => store.organisms.getById(organismId),
    }),
  }),
});

/** Arguments of lists of grades of everything. */
const asked = builder.args((t) => ({
  where: t.field({ type: GradeFilter, description: 'Only grades that match. Null or absent: all.' }),
  orderBy: t.field({ type: [GradeOrder], description: orderedBy('in the order they were saved') }),
}));

const ofName = builder.args((t) => ({
  grader: t.string({
    description: 'Only those by graders of this name, of any version. Null or absent: all.',
  }),
}));

builder.objectField(GraderRef, 'grades', (t) =>
  t.connection(
    {
      type: GradeRef,
      description:
        'What it said, in the order it was saved unless told otherwise. totalCount stops at 10,000.',
      args: asked,
      ...filtered,
      resolve: (grader, args, context) => connection(context, context.store.grades.ofGrader, grader, args),
    },
    GradeConnection,
  ),
);

const said = 'What graders said of it, by grader.';

builder.objectField(HypothesisRef, 'grades', (t) =>
  t.connection(
    {
      type: GradeRef,
      description: said,
      args: ofName,
      resolve: (hypothesis: HypothesisRow, args, context) =>
        connection(context, context.store.grades.ofHypothesis, hypothesis, args),
    },
    GradeConnection,
  ),
);

builder.objectField(ProjectionRef, 'grades', (t) =>
  t.connection(
    {
      type: GradeRef,
      description: said,
      args: ofName,
      resolve: (projection: ProjectionRow, args, context) =>
        connection(context, context.store.grades.ofProjection, projection, args),
    },
    GradeConnection,
  ),
);

builder.objectField(SampleRef, 'grades', (t) =>
  t.connection(
    {
      type: GradeRef,
      description: said,
      args: ofName,
      resolve: (sample: SampleRow, args, context) =>
        connection(context, context.store.grades.ofSample, sample, args),
    },
    GradeConnection,
  ),
);

builder.queryField('grades', (t) =>
  t.connection(
    {
      type: GradeRef,
      description:
        'The grades of every organism, in the order they were saved unless told otherwise. totalCount stops at 10,000.',
      args: asked,
      ...filtered,
      resolve: (_, args, context) => connection(context, context.store.grades.all, null, args),
    },
    GradeConnection,
  ),
);
