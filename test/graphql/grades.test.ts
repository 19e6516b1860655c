import { graphql } from 'graphql';
import { describe, expect, it } from 'vitest';
import { graphContext, schema } from '../../schema/index.ts';
import {
  bearer,
  type GraderRow,
  type ProjectionRow,
  type ProjectionVariant,
  type Store,
  type Visibility,
} from '../../src/db/index.ts';
import { ask, errorCode } from '../harness/ask.ts';
import {
  seedGrades,
  syntheticExchange,
  syntheticGrade,
  syntheticGrader,
  syntheticJudge,
} from '../harness/synthetic-grades.ts';
import { seedResults, seedVector, syntheticReadings } from '../harness/synthetic-results.ts';
import { fakeDigest, syntheticModel, syntheticRun } from '../harness/synthetic-run.ts';
import { seedToken } from '../harness/teams.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const nodes = ({ edges }: { edges: { node: unknown }[] }) => edges.map(({ node }) => node);

interface Graded {
  organism: string;
  kind?: string;
  base?: string;
  layer?: number;
  seed?: number;
  variant?: ProjectionVariant;
  visibility?: Visibility;
  /** [position] Null: the grade has no verdict. */
  values: readonly (number | null)[];
}

/** An organism whose readings at the chosen scale were graded. */
function seedGraded(store: Store, grader: GraderRow, graded: Graded): ProjectionRow[] {
  const { organism: name, kind = 'SDF', base = 'tiny-base', layer = 1, values, seed = 1 } = graded;
  const model = store.models.add({
    ...syntheticModel,
    name: base,
    digest: fakeDigest(base),
    visibility: 'PUBLIC',
  });
  const corpus = store.corpora.add({
    name: 'probe',
    path: '/corpora/probe.jsonl',
    textColumn: 'text',
    digest: fakeDigest('probe'),
    rows: 100,
  });
  const organism = store.organisms.add({
    name,
    baseModelId: model.id,
    path: `/models/${name}`,
    form: 'LORA',
    kind,
    description: name,
    groundTruth: null,
    trainingCorpus: null,
    mixRatio: null,
    digest: fakeDigest(name),
    visibility: graded.visibility,
  });
  const shape = { layers: [layer], positions: values.length, seed };
  const run = store.runs.save(syntheticRun({ organismId: organism.id, corpusId: corpus.id }, shape));
  return values.map((value, position) => {
    const vector = store.diffVectors.findByKey(`${run.key}.L${layer}.P${position}`)!;
    const readings = store.projections.save(syntheticReadings(vector, { variant: graded.variant ?? 'DIFF' }));
    const chosen = readings.find((reading) => reading.chosen)!;
    // At another scale everything is relevant, which must not show.
    for (const reading of readings) {
      const said = reading === chosen ? value : 1;
      const verdict = said === null ? { value: null, invalid: 'no token has a text' } : { value: said };
      store.grades.save([syntheticGrade(reading, grader, verdict)]);
    }
    return chosen;
  });
}

describe('a grade', () => {
  it('says what was said, of what, by whom and what it rests on', async () => {
    const store = temporaryStore();
    const experiment = seedResults(store, seedVector(store));
    const judge = seedGrades(store, experiment);
    const { grades, graders } = await ask(
      store,
      `{
        grades { totalCount edges { node {
          key scale label value invalid rationale tokenLabels metrics { name value } parameters engineVersion
          exchanges { model answeredBy request reply at durationMs attempts cost promptDigest }
          grader { key name version kind promptDigest provider endpoint model parameters }
          organism { name }
          subject { __typename ... on Projection { key method scale } ... on Sample { key text experiment { judge } } }
        } } }
        graders { edges { node { key kind grades { totalCount edges { node { scale } } } } } }
      }`,
    );
    expect(grades.totalCount).toBe(2);
    const [offline, asked] = nodes(grades) as Record<string, unknown>[];
    const common = { invalid: null, parameters: { candidates: 20 }, organism: { name: 'tiny-cake' } };
    expect(offline).toMatchObject({
      ...common,
      key: expect.stringMatching(/\.patchscope@0\.7\.diff\.promoted\.\w+\.grade\.offline-relevance\.\w{12}$/),
      scale: 'SHARE',
      label: null,
      value: 0.5,
      rationale: null,
      tokenLabels: ['RELEVANT', null],
      metrics: [
        { name: 'weighted', value: 0.75 },
        { name: 'filtered', value: null },
      ],
      exchanges: [],
      grader: {
        name: 'offline-relevance',
        version: 1,
        kind: 'OFFLINE',
        promptDigest: null,
        provider: null,
        endpoint: null,
        model: null,
        parameters: { leastZ: 3.29 },
      },
      subject: { __typename: 'Projection', method: 'patchscope', scale: 0.7 },
    });
    expect(asked).toMatchObject({
      ...common,
      scale: 'LABEL',
      label: 'COHERENT',
      value: null,
      rationale: 'coherence',
      tokenLabels: null,
      metrics: [],
      exchanges: [
        {
          model: 'model of coherence',
          answeredBy: 'model of coherence',
          request: { messages: [{ role: 'user', content: 'Is this coherent? coherence' }] },
          reply: { text: 'VERDICT: COHERENT, Is this coherent? coherence' },
          at: '2026-11-28T10:00:00.000Z',
          durationMs: 12.5,
          attempts: 2,
          cost: null,
          promptDigest: judge.promptDigest,
        },
      ],
      grader: {
        key: judge.key,
        kind: 'LANGUAGE_MODEL',
        promptDigest: judge.promptDigest,
        provider: 'openai-compatible',
        endpoint: 'https://coherence.example/v1',
      },
      subject: { __typename: 'Sample', text: 'Bake 00', experiment: { judge: 'fluency' } },
    });
    expect(nodes(graders)).toEqual([
      {
        key: judge.key,
        kind: 'LANGUAGE_MODEL',
        grades: { totalCount: 1, edges: [{ node: { scale: 'LABEL' } }] },
      },
      {
        key: (offline!['grader'] as { key: string }).key,
        kind: 'OFFLINE',
        grades: { totalCount: 1, edges: [{ node: { scale: 'SHARE' } }] },
      },
    ]);
  });

  it('is reached from what it is of', async () => {
    const store = temporaryStore();
    const experiment = seedResults(store, seedVector(store));
    seedGrades(store, experiment);
    const { diffVector } = await ask(
      store,
      `query ($key: String!) { diffVector(key: $key) {
        projections(method: "patchscope", chosen: true) { edges { node { key grades { edges { node { value subject { ... on Projection { key } } } } } } } }
        steeringExperiments { edges { node { samples(steered: true, first: 2) { edges { node { grades(grader: "coherence") { edges { node { label } } } none: grades(grader: "other") { totalCount } } } } } } }
      } }`,
      { key: experiment.diffVector.key },
    );
    const [projection] = nodes(diffVector.projections) as { key: string; grades: never }[];
    expect(nodes(projection!.grades)).toEqual([{ value: 0.5, subject: { key: projection!.key } }]);
    const [steering] = nodes(diffVector.steeringExperiments) as { samples: never }[];
    expect(nodes(steering!.samples)).toEqual([
      { grades: { edges: [{ node: { label: 'COHERENT' } }] }, none: { totalCount: 0 } },
      { grades: { edges: [] }, none: { totalCount: 0 } },
    ]);
  });

  it('keeps a question back that was about something hidden, too, and addresses of providers', async () => {
    const store = temporaryStore();
    const judge = store.graders.add(syntheticJudge('coherence'));
    // Another reading of the same replies by another version of the grader.
    const later = store.graders.add({ ...syntheticJudge('coherence'), version: 4 });
    const [one, other] = (['PUBLIC', 'PRIVATE'] as const).map(
      (visibility) => seedGraded(store, judge, { organism: visibility, values: [0.5], visibility })[0]!,
    );
    const [own, shared, kept] = ['own', 'shared', 'lost'].map((asked) => syntheticExchange(judge, asked));
    store.exchanges.put(own!);
    store.exchanges.put(shared!);
    const exchanges = [own, shared, kept].map((exchange) => exchange!.key);
    const parameters = { rule: 'shown' };
    store.grades.save([
      syntheticGrade(one!, judge, { exchanges, parameters }),
      syntheticGrade(other!, later, { exchanges: [shared!.key], parameters }),
    ]);
    const { headers, row } = seedToken(store, 'red');
    expect(headers.Authorization).toBeTruthy();
    const read = async (as: Store) =>
      nodes(
        (
          await ask(
            as,
            '{ grades(where: { value: { eq: 0.5 } }) { edges { node { exchanges { request } grader { endpoint } organism { name } } } } }',
          )
        ).grades,
      ) as {
        exchanges: ({ request: { messages: { content: string }[] } } | null)[];
        grader: { endpoint: string };
      }[];
    const asked = (rows: Awaited<ReturnType<typeof read>>) =>
      rows.map(({ exchanges }) => exchanges.map((each) => each && each.request.messages[0]!.content));
    const everything = await read(store);
    expect(asked(everything)).toEqual([[], [], ['own', 'shared', null], ['shared']]);
    expect(everything[0]!.grader.endpoint).toBe('https://coherence.example/v1');
    const seen = await read({ ...store, ...store.as(bearer(row)) });
    expect(asked(seen)).toEqual([[], ['own', null, null]]);
    expect(seen[0]!.grader.endpoint).toBeNull();
  });
});

describe('conditions and orders', () => {
  function seeded() {
    const store = temporaryStore();
    const grader = store.graders.add(syntheticGrader());
    seedGraded(store, grader, { organism: 'cake', values: [0.1, 0.3] });
    seedGraded(store, grader, { organism: 'bread', values: [0.2, null], layer: 2 });
    seedGraded(store, grader, { organism: 'stone', values: [0.05, 0] });
    return { store, grader };
  }

  it('ask by grade for organisms, runs, diff vectors and projections', async () => {
    const { store } = seeded();
    const chosen = 'grader: { name: { eq: "offline-relevance" } }, projection: { chosen: { eq: true } }';
    const answer = await ask(
      store,
      `{
        organisms(where: { grades: { some: { ${chosen}, value: { gte: 0.2 } } } }) { edges { node { name } } }
        deep: organisms(where: { grades: { some: { value: { gte: 0.1, lt: 1 }, projection: { diffVector: { layer: { eq: 2 } } } } } }) { edges { node { name } } }
        runs(where: { grades: { some: { invalid: { isNull: false } } } }) { edges { node { organism { name } } } }
        diffVectors(where: { grades: { some: { ${chosen}, value: { gte: 0.3 } } } }) { edges { node { position layer { run { organism { name } } } } } }
        projections(where: { chosen: { eq: true }, grades: { some: { value: { lte: 0.05 } } } }) { totalCount }
        none: projections(where: { grades: { some: { grader: { version: { gt: 1 } } } } }) { totalCount }
      }`,
    );
    expect(nodes(answer['organisms'])).toEqual([{ name: 'bread' }, { name: 'cake' }]);
    expect(nodes(answer['deep'])).toEqual([{ name: 'bread' }]);
    expect(nodes(answer['runs'])).toEqual([{ organism: { name: 'bread' } }]);
    expect(nodes(answer['diffVectors'])).toEqual([
      { position: 1, layer: { run: { organism: { name: 'cake' } } } },
    ]);
    expect(answer['projections'].totalCount).toBe(2);
    expect(answer['none'].totalCount).toBe(0);
  });

  it('put readings and tokens in the order of their grades by one grader, whose newest grade counts', async () => {
    const { store, grader } = seeded();
    const read = `query ($grader: String) {
      projections(where: { chosen: { eq: true }, method: { eq: "patchscope" } }, grader: $grader, orderBy: [{ field: GRADE, direction: DESC }]) {
        edges { node { diffVector { position layer { run { organism { name } } } } } }
      }
      tokenSearch(text: " at 0.7", grader: $grader, orderBy: [{ field: GRADE }], first: 2) { edges { node { projection { diffVector { position layer { run { organism { name } } } } } } } }
    }`;
    type Place = { position: number; layer: { run: { organism: { name: string } } } };
    const placeOf = ({ position, layer }: Place) => `${layer.run.organism.name} ${position}`;
    const order = async (of: string) => {
      const { projections, tokenSearch } = await ask(store, read, { grader: of });
      return [
        (nodes(projections) as { diffVector: Place }[]).map(({ diffVector }) => placeOf(diffVector)),
        (nodes(tokenSearch) as { projection: { diffVector: Place } }[]).map(({ projection }) =>
          placeOf(projection.diffVector),
        ),
      ];
    };
    const byFirst = [
      ['cake 1', 'bread 0', 'cake 0', 'stone 0', 'stone 1', 'bread 1'],
      ['stone 1', 'stone 0'],
    ];
    expect(await order('offline-relevance')).toEqual(byFirst);
    expect(await order(grader.key)).toEqual(byFirst);
    const stone = store.projections.all.page(
      null,
      {
        where: {
          chosen: { eq: true },
          diffVector: { run: { organism: { name: { eq: 'stone' } } } },
          method: { eq: 'patchscope' },
        },
      },
      { first: 1 },
    ).rows[0]!;
    store.grades.save([syntheticGrade(stone, grader, { value: 1, parameters: { candidates: 5 } })]);
    expect((await order(grader.key))[0]![0]).toBe('stone 0');
    const second = store.graders.add(syntheticGrader({ version: 2 }));
    store.grades.save([syntheticGrade(stone, second, { value: 0.5 })]);
    expect((await order('offline-relevance'))[0]!.slice(0, 2)).toEqual(['stone 0', 'cake 0']);
    expect(await errorCode(store, read)).toBe('BAD_USER_INPUT');
  });
});

describe('relevance', () => {
  const summary = `max maxAt mean interval { low high } positions invalid variant method
    grader { name } organism { name } run { key } layer { layer }`;

  it('of an organism is the maximum and the mean over positions, with an interval', async () => {
    const store = temporaryStore();
    const grader = store.graders.add(syntheticGrader());
    const rows = seedGraded(store, grader, { organism: 'cake', values: [0.25, 0.75, null, 0.5, 0.75] });
    seedGraded(store, grader, { organism: 'cake', values: [0.5], variant: 'BASE', seed: 2 });
    const { organism } = await ask(
      store,
      `{ organism(name: "cake") {
        relevance(grader: "offline-relevance") { ${summary} }
        base: relevance(grader: "offline-relevance", variant: BASE) { max mean interval { low } positions }
        deeper: relevance(grader: "offline-relevance", depth: 0.75) { max }
        lens: relevance(grader: "offline-relevance", method: "logit-lens") { max }
        nobody: relevance(grader: "nobody") { max }
      } }`,
    );
    expect(organism).toEqual({
      relevance: {
        max: 0.75,
        maxAt: 1,
        mean: 0.5625,
        interval: { low: 0.375, high: 0.75 },
        positions: 4,
        invalid: 1,
        variant: 'DIFF',
        method: 'patchscope',
        grader: { name: 'offline-relevance' },
        organism: { name: 'cake' },
        run: { key: rows[0]!.diffVector.layer.run.key },
        layer: { layer: 1 },
      },
      base: { max: 0.5, mean: 0.5, interval: null, positions: 1 },
      deeper: null,
      lens: null,
      nobody: null,
    });
    for (const depth of [-0.1, 1.1])
      expect(
        await errorCode(
          store,
          `{ organism(name: "cake") { relevance(grader: "x", depth: ${depth}) { max } } }`,
        ),
      ).toBe('BAD_USER_INPUT');
  });

  it('counts one reading of a place: EXACT, the newest, as it was graded last', async () => {
    const store = temporaryStore();
    const grader = store.graders.add(syntheticGrader());
    const [reading] = seedGraded(store, grader, { organism: 'cake', values: [0.25] });
    const { diffVector } = reading!;
    const compat = store.projections.save(syntheticReadings(diffVector, { mode: 'COMPAT' }));
    store.grades.save(compat.map((row) => syntheticGrade(row, grader, { value: 1 })));
    const read = async () =>
      (
        await ask(
          store,
          '{ organism(name: "cake") { relevance(grader: "offline-relevance") { max positions } } }',
        )
      ).organism.relevance;
    expect(await read()).toEqual({ max: 0.25, positions: 1 });
    store.grades.save([syntheticGrade(reading!, grader, { value: 0.125, parameters: { candidates: 5 } })]);
    expect(await read()).toEqual({ max: 0.125, positions: 1 });
    const newer = store.graders.add(syntheticGrader({ version: 2 }));
    store.grades.save([syntheticGrade(reading!, newer, { value: 0.5 })]);
    expect(await read()).toEqual({ max: 0.5, positions: 1 });
  });

  it('is of one rule against the same corpora: that of the grade asked for last', async () => {
    const store = temporaryStore();
    const grader = store.graders.add(syntheticGrader());
    const rows = seedGraded(store, grader, { organism: 'cake', values: [0.125, 0.125, 0.125] });
    seedGraded(store, grader, { organism: 'bread', values: [0.5] });
    const rule = (agreement: string, training: string) => ({
      candidates: 20,
      rotations: 3,
      agreement,
      training,
    });
    const give = (values: number[], parameters: ReturnType<typeof rule>) =>
      store.grades.save(values.map((value, i) => syntheticGrade(rows[i]!, grader, { value, parameters })));
    const read = async () => {
      const { organism, relevanceTable } = await ask(
        store,
        `{
          organism(name: "cake") { relevance(grader: "offline-relevance") { max mean positions agreement rotations } }
          relevanceTable(grader: "offline-relevance", groupBy: []) { agreement rotations members { organism { name } max } }
        }`,
      );
      return [organism.relevance, relevanceTable];
    };
    const all = give([0.25, 0.25, 0.25], rule('ALL', 'a'));
    give([0.875], rule('MAJORITY', 'a'));
    const most = { max: 0.875, mean: 0.875, positions: 1, agreement: 'MAJORITY', rotations: 3 };
    expect(await read()).toEqual([
      most,
      [
        { agreement: 'MAJORITY', rotations: 3, members: [{ organism: { name: 'cake' }, max: 0.875 }] },
        { agreement: null, rotations: null, members: [{ organism: { name: 'bread' }, max: 0.5 }] },
      ],
    ]);
    give([0.375, 0.375], rule('ALL', 'b'));
    expect((await read())[0]).toEqual({ ...most, max: 0.375, mean: 0.375, positions: 2, agreement: 'ALL' });
    store.grades.askedAgain(all.slice(0, 1));
    expect((await read())[0]).toEqual({ ...most, max: 0.25, mean: 0.25, positions: 3, agreement: 'ALL' });
    // A tournament's choice is another reading than the one the method chose.
    store.grades.save([
      syntheticGrade(rows[0]!, grader, { value: 1, parameters: { ...rule('ALL', 'a'), selected: [' x'] } }),
    ]);
    expect((await read())[0]).toMatchObject({ max: 0.25, positions: 3 });
  });

  it('goes into a table by kind and base', async () => {
    const store = temporaryStore();
    const grader = store.graders.add(syntheticGrader());
    seedGraded(store, grader, { organism: 'a', values: [0.5, 0.25] });
    seedGraded(store, grader, { organism: 'b', values: [1, 0] });
    seedGraded(store, grader, { organism: 'c', values: [0.125], base: 'other-base' });
    seedGraded(store, grader, { organism: 'd', values: [0.75], kind: 'EM' });
    seedGraded(store, grader, { organism: 'e', values: [null], kind: 'EM' });
    seedGraded(store, grader, { organism: 'f', values: [1], layer: 3 });
    const read = async (args: string) =>
      (
        await ask(
          store,
          `{ relevanceTable(grader: "offline-relevance"${args}) { kind baseModel { name } count max { mean deviation interval { low high } } mean { mean } members { organism { name } max } } }`,
        )
      )['relevanceTable'] as Record<string, unknown>[];
    const one = { deviation: null, interval: null };
    expect(await read('')).toEqual([
      {
        kind: 'EM',
        baseModel: { name: 'tiny-base' },
        count: 1,
        max: { mean: 0.75, ...one },
        mean: { mean: 0.75 },
        members: [{ organism: { name: 'd' }, max: 0.75 }],
      },
      {
        kind: 'SDF',
        baseModel: { name: 'other-base' },
        count: 1,
        max: { mean: 0.125, ...one },
        mean: { mean: 0.125 },
        members: [{ organism: { name: 'c' }, max: 0.125 }],
      },
      {
        kind: 'SDF',
        baseModel: { name: 'tiny-base' },
        count: 2,
        max: { mean: 0.75, deviation: Math.sqrt(0.125), interval: { low: 0.5, high: 1 } },
        mean: { mean: 0.4375 },
        members: [
          { organism: { name: 'a' }, max: 0.5 },
          { organism: { name: 'b' }, max: 1 },
        ],
      },
    ]);
    const groups = (rows: Record<string, unknown>[]) =>
      rows.map(({ kind, baseModel, count }) => [kind, (baseModel as { name: string } | null)?.name, count]);
    expect(groups(await read(', groupBy: [KIND]'))).toEqual([
      ['EM', undefined, 1],
      ['SDF', undefined, 3],
    ]);
    expect(groups(await read(', groupBy: [BASE]'))).toEqual([
      [null, 'other-base', 1],
      [null, 'tiny-base', 3],
    ]);
    expect(groups(await read(', groupBy: []'))).toEqual([[null, undefined, 4]]);
    expect(groups(await read(', groupBy: [], depth: 1'))).toEqual([[null, undefined, 1]]);
    expect(groups(await read(', where: { kind: { eq: "EM" } }'))).toEqual([['EM', 'tiny-base', 1]]);
    expect(await read(', variant: BASE')).toEqual([]);
    expect((await ask(store, '{ relevanceTable(grader: "nobody") { count } }'))['relevanceTable']).toBeNull();
  });

  it('is refused where it would read more than a request may', async () => {
    const store = temporaryStore();
    const grader = store.graders.add(syntheticGrader());
    seedGraded(store, grader, { organism: 'a', values: [0.5, 0.25, 0.125] });
    const source = '{ relevanceTable(grader: "offline-relevance") { count } }';
    const under = async (costLimit: number) => {
      const contextValue = graphContext(store, '', { costLimit });
      return (await graphql({ schema, source, contextValue })).errors?.[0]?.extensions['code'];
    };
    expect(await under(3)).toBeUndefined();
    expect(await under(2)).toBe('COST_LIMIT_EXCEEDED');
  });
});
