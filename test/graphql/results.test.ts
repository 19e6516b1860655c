import BetterSqlite3 from 'better-sqlite3';
import { graphql } from 'graphql';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { graphContext, schema } from '../../schema/index.ts';
import { openStore, type Store } from '../../src/db/index.ts';
import { ask, errorCode, execute } from '../harness/ask.ts';
import { serve } from '../harness/serve.ts';
import {
  seedResults,
  seedVector,
  syntheticEffect,
  syntheticExperiment,
  syntheticReadings,
} from '../harness/synthetic-results.ts';
import { fakeDigest, seedOrganism, syntheticModel, syntheticRun } from '../harness/synthetic-run.ts';
import { seedToken } from '../harness/teams.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

function seeded() {
  const store = temporaryStore();
  const vector = seedVector(store);
  const experiment = seedResults(store, vector);
  /** A field of the vector, asked for. */
  const of = async (field: string, variables: Record<string, unknown> = {}) =>
    (
      await ask(store, `query ($key: String!) { diffVector(key: $key) { ${field} } }`, {
        key: vector.key,
        ...variables,
      })
    ).diffVector;
  return { store, vector, experiment, of };
}

const nodes = ({ edges }: { edges: { node: unknown }[] }) => edges.map(({ node }) => node);

describe('a diff vector', () => {
  it.each([
    [{ swapNormMean: 0.5, swapNormDeviation: 0.125, swapNormMax: 0.75, baseSplitNorm: 0.25 }, true],
    [{ swapNormMean: 50, swapNormDeviation: 0.125, swapNormMax: 75, baseSplitNorm: 0.25 }, false],
    [{ swapNormMean: 0.5, swapNormDeviation: NaN, swapNormMax: 0.75, baseSplitNorm: Infinity }, null],
    [{}, null],
  ])('says whether it is above the noise: %j', async (statistics, expected) => {
    const store = temporaryStore();
    const { organism, corpus } = seedOrganism(store);
    const record = syntheticRun({ organismId: organism.id, corpusId: corpus.id });
    Object.assign(record.layers[0]!.vectors[0]!, statistics);
    const { key } = store.runs.save(record);
    const fields = ['swapNormMean', 'swapNormDeviation', 'swapNormMax', 'baseSplitNorm'] as const;
    const { diffVector } = await ask(
      store,
      `{ diffVector(key: "${key}.L1.P0") { aboveNoise noiseRule ${fields.join(' ')} } }`,
    );
    expect(diffVector).toEqual({
      aboveNoise: expected,
      noiseRule: expect.stringMatching(/^norm > swapNormMean \+ 5 · swapNormDeviation/),
      ...Object.fromEntries(
        fields.map((field) => {
          const value = (statistics as Record<string, number>)[field];
          return [field, value === undefined || !Number.isFinite(value) ? null : value];
        }),
      ),
    });
  });

  it('lists readings at all scales, or at one, or the chosen ones', async () => {
    const { of, store, vector } = seeded();
    store.projections.save(syntheticReadings(vector, { mode: 'COMPAT', score: null }));
    const read = async (args: string) =>
      nodes(
        (await of(`projections(${args}) { edges { node { method scale chosen score mode } } }`)).projections,
      );
    const lens = { method: 'logit-lens', scale: null, chosen: true, score: null, mode: 'EXACT' };
    const scope = { method: 'patchscope', chosen: false, mode: 'EXACT' };
    const chosen = { ...scope, scale: 0.7, chosen: true, score: 1 / 0.7 };
    expect(await read('sign: PROMOTED, mode: EXACT')).toEqual([
      lens,
      { ...scope, scale: 0.5, score: 2 },
      chosen,
      { ...scope, scale: 20, score: 0.05 },
    ]);
    const compat = { ...chosen, mode: 'COMPAT', score: null };
    expect(await read('scale: 0.7')).toEqual([compat, chosen]);
    expect(await read('scale: 20.0, mode: COMPAT')).toHaveLength(1);
    expect(await read('scale: 0.70001')).toEqual([]);
    expect(await read('chosen: true, sign: PROMOTED')).toEqual([lens, compat, chosen]);
    expect(await read('chosen: false')).toHaveLength(4);
    expect(await read('scale: null, chosen: null, mode: null')).toHaveLength(8);
  });

  it('goes down to what was said when it was added, and back up', async () => {
    const { of, vector, experiment } = seeded();
    const { steeringExperiments } = await of(`steeringExperiments(first: 5) { totalCount edges { node {
      key judge judgeVersion mode strength thresholds normMultiple klFromUnsteered seed parameters settings search
      engineVersion createdAt
      samples(steered: true, prompt: 1) { totalCount edges { node {
        key promptIndex sampleIndex steered strength prompt text tokenIds tokens finish perplexity coherent
        experiment { diffVector { key } } } } }
      unsteered: samples(steered: false, first: 1) { totalCount edges { node { text strength perplexity coherent } } }
      similarities(group: STEERED, other: TRAINING) { edges { node {
        key group other cosine texts otherTexts encoderName encoderDigest parameters experiment { key } } } }
    } } }`);
    expect(steeringExperiments).toEqual({
      totalCount: 1,
      edges: [
        {
          node: {
            key: experiment.key,
            judge: 'fluency',
            judgeVersion: 1,
            mode: 'EXACT',
            strength: 12.5,
            thresholds: [12, 13],
            normMultiple: 0.75,
            klFromUnsteered: 1.5,
            seed: '7',
            parameters: { perPrompt: 2 },
            settings: { temperature: 1.2, maxNewTokens: 3 },
            search: [{ prompt: 0, strength: 12.5, coherent: 8, incoherent: 2 }],
            engineVersion: experiment.engineVersion,
            createdAt: experiment.createdAt,
            samples: {
              totalCount: 2,
              edges: [0, 1].map((n) => ({
                node: {
                  key: `${experiment.key}.steered.1.${n}`,
                  promptIndex: 1,
                  sampleIndex: n,
                  steered: true,
                  strength: 12.5,
                  prompt: 'Plan my weekend.',
                  text: `Bake 1${n}`,
                  tokenIds: [1, n, 7],
                  tokens: 3,
                  finish: 'LENGTH',
                  perplexity: 8.5,
                  coherent: n === 0,
                  experiment: { diffVector: { key: vector.key } },
                },
              })),
            },
            unsteered: {
              totalCount: 4,
              edges: [{ node: { text: 'Say 00', strength: 0, perplexity: null, coherent: null } }],
            },
            similarities: {
              edges: [
                {
                  node: {
                    key: expect.stringContaining(`${experiment.key}.steered.training.`),
                    group: 'STEERED',
                    other: 'TRAINING',
                    cosine: 0.625,
                    texts: 4,
                    otherTexts: 50,
                    encoderName: 'tiny-encoder',
                    encoderDigest: fakeDigest('encoder'),
                    parameters: { pooling: 'last' },
                    experiment: { key: experiment.key },
                  },
                },
              ],
            },
          },
        },
      ],
    });
  });

  it('says how the differences of texts spread', async () => {
    const { of, store, vector } = seeded();
    const fields =
      'explained explainedShares total participationRatio meanShare samples parameters diffVector { key }';
    const read = async () =>
      nodes((await of(`principalComponents { edges { node { ${fields} } } }`)).principalComponents);
    const spread = {
      explained: [6, 3, 0.5],
      explainedShares: [0.6, 0.3, 0.05],
      total: 10,
      participationRatio: 2.25,
      meanShare: 0.875,
      samples: 100,
      parameters: { components: 3 },
      diffVector: { key: vector.key },
    };
    expect(await read()).toEqual([spread]);
    const still = { explained: [0], total: 0, participationRatio: null, meanShare: null, samples: 1 };
    store.components.save(vector, { ...still, parameters: {} });
    expect(await read()).toContainEqual({
      ...spread,
      ...still,
      explainedShares: [],
      parameters: {},
    });
  });
});

describe('a run', () => {
  it('says how far predictions are apart, by position', async () => {
    const { store, vector } = seeded();
    const { key } = vector.layer.run;
    const { run } = await ask(
      store,
      `{ run(key: "${key}") { divergences(positions: [2, 0]) { totalCount edges { node {
        key position mean max count vocabulary parameters run { key } } } } } }`,
    );
    expect(run.divergences.totalCount).toBe(2);
    expect(nodes(run.divergences)).toEqual(
      [0, 2].map((position) => ({
        key: expect.stringContaining(`${key}.divergence.P${position}.`),
        position,
        mean: 0.5 + position,
        max: 8,
        count: 100,
        vocabulary: 512,
        parameters: { temperature: 1 },
        run: { key },
      })),
    );
  });
});

describe('a causal effect', () => {
  const read = `key direction subset controlKind mode corpusName corpusDigest vectors baseLoss finetunedLoss intervenedLoss
    intervenedLossDeviation increase relativeIncrease increaseOverControl count seed control { vectors increase seed }
    random: control(kind: RANDOM) { key } overRandom: increaseOverControl(kind: RANDOM) diffVector { key }`;

  it('compares itself with the untouched model and with its controls', async () => {
    const { of, vector } = seeded();
    const { causalEffects } = await of(
      `causalEffects(control: NONE) { totalCount edges { node { ${read} } } }`,
    );
    expect(causalEffects.totalCount).toBe(1);
    expect(nodes(causalEffects)).toEqual([
      {
        key: expect.stringContaining(`${vector.key}.causal.base-to-finetuned.all.none.`),
        direction: 'BASE_TO_FINETUNED',
        subset: 'ALL',
        controlKind: 'NONE',
        mode: 'EXACT',
        corpusName: 'training',
        corpusDigest: fakeDigest('training'),
        vectors: 1,
        baseLoss: 4,
        finetunedLoss: 2.5,
        intervenedLoss: 3.25,
        intervenedLossDeviation: null,
        increase: 0.75,
        relativeIncrease: 0.5,
        increaseOverControl: 0.5,
        count: '5000000000',
        seed: null,
        control: { vectors: 64, increase: 0.25, seed: '3' },
        random: null,
        overRandom: null,
        diffVector: { key: vector.key },
      },
    ]);
  });

  it.each([
    ['BASE_TO_FINETUNED', 0.75, 0.5],
    ['ZERO_FINETUNED', 0.75, 0.5],
    ['FINETUNED_TO_BASE', -0.75, 0.5],
    ['ZERO_BASE', -0.75, 0.5],
  ] as const)('%s is measured against the model that runs', async (direction, increase, relativeIncrease) => {
    const { of, store, vector } = seeded();
    store.causalEffects.save([syntheticEffect(vector, { direction, subset: 'AFTER_K' })]);
    const { causalEffects } = await of(
      `causalEffects(direction: ${direction}, subset: AFTER_K) { edges { node { increase relativeIncrease } } }`,
    );
    expect(nodes(causalEffects)).toEqual([{ increase, relativeIncrease }]);
  });

  it('has no relative increase where the models are alike', async () => {
    const { of, store, vector } = seeded();
    store.causalEffects.save([syntheticEffect(vector, { subset: 'AFTER_K', baseLoss: 2.5 })]);
    const { causalEffects } = await of(
      'causalEffects(subset: AFTER_K) { edges { node { increase relativeIncrease } } }',
    );
    expect(nodes(causalEffects)).toEqual([{ increase: 0.75, relativeIncrease: null }]);
  });
});

describe('node ids', () => {
  const everything = `query ($key: String!) { diffVector(key: $key) { id layer { run { divergences(first: 1) { edges { node { id } } } } }
    projections(chosen: false) { edges { node { id tokens(first: 1) { edges { node { id } } } } } }
    principalComponents { edges { node { id } } } causalEffects { edges { node { id } } }
    steeringExperiments { edges { node { id samples { edges { node { id } } } similarities { edges { node { id } } } } } } } }`;
  const idsIn = (value: unknown): string[] =>
    value !== null && typeof value === 'object'
      ? Object.entries(value).flatMap(([name, member]) =>
          name === 'id' ? [member as string] : idsIn(member),
        )
      : [];

  it('find each result again, the same in a store made anew', async () => {
    const [one, other] = [seeded(), seeded()];
    const ids = idsIn(await ask(one.store, everything, { key: one.vector.key }));
    expect(idsIn(await ask(other.store, everything, { key: other.vector.key }))).toEqual(ids);
    const { nodes } = await ask(one.store, 'query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }', {
      ids,
    });
    expect(nodes.map(({ id }: { id: string }) => id)).toEqual(ids);
    expect(new Set(nodes.map((node: { __typename: string }) => node.__typename))).toEqual(
      new Set([
        'DiffVector',
        'Divergence',
        'Projection',
        'ProjectionToken',
        'PrincipalComponents',
        'CausalEffect',
        'SteeringExperiment',
        'Sample',
        'Similarity',
      ]),
    );
  });

  it('that are none are null, however close', async () => {
    const { store, vector, experiment } = seeded();
    const id = (text: string) => Buffer.from(text).toString('base64');
    const ids = [
      id(`Sample:${experiment.key}.steered.0.01`),
      id(`Sample:${experiment.key}.steered.0.9`),
      id(`Sample:${experiment.key}.ununsteered.0.0`),
      id(`SteeringExperiment:${experiment.key} `),
      id(`SteeringExperiment:${vector.key}.steering.fluency.000000000000`),
      id(`Similarity:${experiment.key}.steered.training.000000000000`),
      id(`CausalEffect:${vector.key}.causal.up.all.none.000000000000`),
      id(`Divergence:${vector.layer.run.key}.divergence.P00.000000000000`),
      id(`PrincipalComponents:${vector.key}.components.`),
      id('Neighbour:x'),
      id(`Sample:${'.steered.0.0'.repeat(10_000)}`),
    ];
    const answer = await ask(store, 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids });
    expect(answer['nodes']).toEqual(ids.map(() => null));
    expect(await ask(store, '{ steeringExperiment(key: "none") { key } }')).toEqual({
      steeringExperiment: null,
    });
  });
});

/** A run of one layer with these diffs, one a position. @returns the key of the run */
function measured(
  store: Store,
  organism: string,
  diffs: number[][],
  { base = 'tiny-base', layer = 1 }: { base?: string; layer?: number } = {},
): string {
  const { corpus } = seedOrganism(store);
  const width = diffs[0]!.length;
  const model = store.models.add({ ...syntheticModel, name: base, dModel: width });
  const { id } = store.organisms.add({
    name: organism,
    baseModelId: model.id,
    path: organism,
    form: 'LORA',
    kind: 'SDF',
    description: '',
    digest: organism,
  });
  const record = syntheticRun(
    { organismId: id, corpusId: corpus.id },
    { layers: [layer], positions: diffs.length },
  );
  record.spec = { organism, layer };
  record.layers[0]!.vectors.forEach((vector, p) => {
    vector.diff = Float32Array.from(diffs[p]!);
    vector.baseMean = new Float32Array(width);
    vector.finetunedMean = new Float32Array(width);
    vector.projections = [];
  });
  return store.runs.save(record).key;
}

/** A vector of the width of tiny-base that begins so. */
const wide = (...first: number[]): number[] => [...first, ...Array<number>(16 - first.length).fill(0)];

describe('neighbours', () => {
  const neighbours = async (store: Store, key: string, args = '') => {
    const { diffVector } = await ask(
      store,
      `query ($key: String!) { diffVector(key: $key) { neighbours${args} { cosine diffVector { key layer { run { organism { name } } } } } } }`,
      { key },
    );
    return (
      diffVector.neighbours as {
        cosine: number;
        diffVector: { key: string; layer: { run: { organism: { name: string } } } };
      }[]
    ).map(({ cosine, diffVector: { key, layer } }) => [layer.run.organism.name, key, cosine]);
  };

  it('are the diffs of other organisms of the base that point the same way', async () => {
    const store = temporaryStore();
    const own = measured(store, 'own', [wide(1), wide(1, 0.1)]);
    const a = measured(store, 'a', [wide(0, 1), wide(3, 3), wide(-1), wide(0), wide(NaN)]);
    const b = measured(store, 'b', [wide(9)]);
    const elsewhere = measured(store, 'elsewhere', [wide(5)], { base: 'other-base' });
    const deeper = measured(store, 'a', [wide(4)], { layer: 2 });
    measured(store, 'narrow', [[1, 0]], { base: 'narrow-base' });

    const near = [
      ['b', `${b}.L1.P0`, 1],
      ['a', `${a}.L1.P1`, expect.closeTo(Math.SQRT1_2, 15)],
      ['a', `${a}.L1.P0`, 0],
      ['a', `${a}.L1.P2`, -1],
    ];
    expect(await neighbours(store, `${own}.L1.P0`)).toEqual(near);
    expect(await neighbours(store, `${own}.L1.P0`, '(first: 1)')).toEqual(near.slice(0, 1));
    expect(await neighbours(store, `${own}.L1.P0`, '(first: 0)')).toEqual([]);
    const equal = (keys: string[]) => keys.toSorted().map((key) => expect.arrayContaining([key]) as unknown);
    expect(await neighbours(store, `${own}.L1.P0`, '(first: 2, sameBase: false)')).toEqual(
      equal([`${b}.L1.P0`, `${elsewhere}.L1.P0`]),
    );
    expect(await neighbours(store, `${own}.L1.P0`, '(first: 2, sameLayer: false)')).toEqual(
      equal([`${b}.L1.P0`, `${deeper}.L2.P0`]),
    );
    for (const nowhere of [`${a}.L1.P3`, `${a}.L1.P4`]) expect(await neighbours(store, nowhere)).toEqual([]);
  });

  it('are found whatever part of them lies in memory at once', async () => {
    const store = temporaryStore();
    const width = 2 ** 18; // 1 MiB: eight of them are read together
    const diff = (angle: number) => {
      const numbers = Array<number>(width).fill(0);
      [numbers[0], numbers[width - 1]] = [Math.cos(angle), Math.sin(angle)];
      return numbers;
    };
    const save = (organism: string, angles: number[]) =>
      measured(store, organism, angles.map(diff), { base: 'huge' });
    const own = save('own', [0]);
    const other = save('other', [0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.05, 0.6, 0.4]);
    const found = await neighbours(store, `${own}.L1.P0`, '(first: 4)');
    expect(found).toEqual(
      [
        [6, 0.05],
        [1, 0.1],
        [3, 0.2],
        [5, 0.3],
      ].map(([position, angle]) => [
        'other',
        `${other}.L1.P${position}`,
        expect.closeTo(Math.cos(angle!), 6) as number,
      ]),
    );
  });

  it.each([-1, 201])('refuse first: %s', async (first) => {
    const { store, vector } = seeded();
    const query = `{ diffVector(key: "${vector.key}") { neighbours(first: ${first}) { cosine } } }`;
    expect(await errorCode(store, query)).toBe('BAD_USER_INPUT');
  });

  it('are found among more vectors than a request may read rows, also by a stranger', async () => {
    const store = temporaryStore();
    const [own, many] = [[[1, 0]], Array.from({ length: 5_100 }, (_, i) => [1, i + 2])];
    many[0] = [4, 1];
    many[5_099] = [4, -0.5];
    const keys = [own, many].map((diffs, i) =>
      measured(store, ['own', 'many'][i]!, diffs, { base: 'narrow' }),
    );
    const { headers } = seedToken(store);
    for (const organism of store.organisms.list())
      store.administration.share('organism', organism, { visibility: 'PUBLIC' });
    const server = await serve(store);
    const nearest = async (who: Record<string, string>) => {
      const query = `{ diffVector(key: "${keys[0]}.L1.P0") { neighbours(first: 3) { rank cosine organism { name } diffVector { key } } } }`;
      const response = await server.get('/graphql', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'X-Cost': '1', ...who },
        body: JSON.stringify({ query }),
      });
      return (await response.json()) as unknown;
    };
    const near = (rank: number, position: number, [x, y]: number[]) => ({
      rank,
      cosine: expect.closeTo(x! / Math.hypot(x!, y!), 12) as number,
      organism: { name: 'many' },
      diffVector: { key: `${keys[1]}.L1.P${position}` },
    });
    const expected = {
      data: {
        diffVector: { neighbours: [near(0, 5_099, [4, -0.5]), near(1, 0, [4, 1]), near(2, 1, [1, 3])] },
      },
      extensions: { cost: { requested: 1 + 500 + 3 * (1 + 2), actual: 503 } },
    };
    for (const who of [headers, {}]) expect(await nearest(who)).toMatchObject(expected);
  });

  it('cost what is compared, a row of each 4 KiB', async () => {
    const store = temporaryStore();
    const diff = [1, ...Array<number>(2_047).fill(0)]; // 8 KiB
    const own = measured(store, 'own', [diff], { base: 'huge' });
    const spent = async () => {
      const contextValue = graphContext(store, 'http://127.0.0.1');
      const source = `{ diffVector(key: "${own}.L1.P0") { neighbours(first: 2) { cosine } } }`;
      expect((await graphql({ schema, source, contextValue })).errors).toBeUndefined();
      return contextValue.costLimit - contextValue.rowsLeft;
    };
    expect(await spent()).toBe(0);
    measured(store, 'three', [diff, diff, diff], { base: 'huge' });
    expect(await spent()).toBe(3 * 2 + 2);
  });

  it('are given up when the time of a request is over', async () => {
    const store = temporaryStore();
    const own = measured(store, 'own', [wide(1)]);
    measured(store, 'other', [wide(1)]);
    const source = `{ diffVector(key: "${own}.L1.P0") { neighbours { cosine } } }`;
    const contextValue = graphContext(store, 'http://127.0.0.1', { timeoutMs: -1 });
    const { errors } = await graphql({ schema, source, contextValue });
    expect(errors?.map((error) => error.extensions['code'])).toEqual(['TIMEOUT']);
  });
});

describe('similarity', () => {
  const query = 'query ($a: String!, $b: String!) { similarity(a: $a, b: $b) }';

  it('is the cosine of two diffs, of any base', async () => {
    const store = temporaryStore();
    const own = measured(store, 'own', [wide(1), wide(1, 1), wide(0), wide(NaN)]);
    const other = measured(store, 'other', [wide(-2)], { base: 'other-base' });
    const of = async (a: string, b: string) => (await ask(store, query, { a, b }))['similarity'] as unknown;
    expect(await of(`${own}.L1.P0`, `${own}.L1.P1`)).toBeCloseTo(Math.SQRT1_2, 15);
    expect(await of(`${own}.L1.P0`, `${own}.L1.P0`)).toBe(1);
    expect(await of(`${own}.L1.P0`, `${other}.L1.P0`)).toBe(-1);
    expect(await of(`${own}.L1.P0`, `${own}.L1.P2`)).toBeNull();
    expect(await of(`${own}.L1.P3`, `${own}.L1.P0`)).toBeNull();
  });

  it('refuses unequal widths, naming both, and what is not there', async () => {
    const store = temporaryStore();
    const own = measured(store, 'own', [wide(1)]);
    const narrow = measured(store, 'narrow', [[1, 0]], { base: 'narrow-base' });
    const { errors } = await execute(store, query, { a: `${own}.L1.P0`, b: `${narrow}.L1.P0` });
    expect(errors).toMatchObject([
      {
        message: `${own}.L1.P0 has 16 numbers and ${narrow}.L1.P0 has 2; only vectors of one width have an angle.`,
        extensions: { code: 'BAD_USER_INPUT' },
      },
    ]);
    for (const b of ['', 'none', `${own}.L1.P9`, 'x'.repeat(100_000)]) {
      expect(await errorCode(store, query, { a: `${own}.L1.P0`, b }), b.slice(0, 20)).toBe('BAD_USER_INPUT');
    }
  });

  it('fails like any reading of numbers that are damaged', async () => {
    const file = join(temporaryFolder(), 'store.sqlite');
    const store = openStore(file);
    const own = measured(store, 'own', [wide(1)]);
    const other = measured(store, 'other', [wide(1)]);
    new BetterSqlite3(file).exec("update vector_data set data = zeroblob(64) where kind = 'DIFF'").close();
    for (const field of [
      `similarity(a: "${own}.L1.P0", b: "${other}.L1.P0")`,
      `diffVector(key: "${own}.L1.P0") { neighbours { cosine } }`,
    ]) {
      const { errors } = await execute(store, `{ ${field} }`);
      expect(errors?.[0]?.originalError).toMatchObject({ code: 'STORE_CORRUPT' });
    }
    store.close();
  });
});

describe('texts', () => {
  it('count against the limit of a request by their length', async () => {
    const { store, vector } = seeded();
    const [sample] = syntheticExperiment(vector).samples;
    const text = 'x'.repeat(4 * 2 ** 20); // 1,025 rows with the prompt
    const { key } = store.steering.save(
      syntheticExperiment(vector, { seed: 1, samples: [{ ...sample!, text }] }),
    );
    const read = (aliases: number) =>
      execute(
        store,
        `{ steeringExperiment(key: "${key}") { samples { edges { node { ${Array.from({ length: aliases }, (_, i) => `a${i}: text`).join(' ')} } } } } }`,
      );
    expect((await read(19)).errors).toBeUndefined();
    const { errors } = await read(20);
    expect(errors?.map((error) => error.extensions['code'])).toEqual(['COST_LIMIT_EXCEEDED']);
  });
});
