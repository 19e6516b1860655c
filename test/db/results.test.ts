import BetterSqlite3 from 'better-sqlite3';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  InvalidResultError,
  NotFoundError,
  openStore,
  type DiffVectorRow,
  type NewSample,
  type NewSteeringExperiment,
  type SortKey,
  type Store,
} from '../../src/db/index.ts';
import { packageVersion } from '../../src/lib/package-root.ts';
import {
  seedResults,
  seedVector,
  syntheticComponents,
  syntheticDivergence,
  syntheticEffect,
  syntheticExperiment,
  syntheticPrompts,
  syntheticReadings,
  syntheticSimilarity,
} from '../harness/synthetic-results.ts';
import { syntheticRun, seedOrganism } from '../harness/synthetic-run.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

function prepared(): { store: Store; vector: DiffVectorRow } {
  const store = temporaryStore();
  return { store, vector: seedVector(store) };
}

const all = { first: 1000 };
const made = {
  engineVersion: packageVersion(),
  createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as unknown,
};

/** Rows in each table that results of a vector fill. */
function rowCounts(file: string): Record<string, number> {
  const sqlite = new BetterSqlite3(file, { readonly: true });
  const tables = [
    'projections',
    'projection_tokens',
    'steering_experiments',
    'samples',
    'sample_texts',
    'similarities',
    'causal_effects',
    'divergences',
    'principal_components',
  ];
  const counts = tables.map((table) => [
    table,
    sqlite.prepare(`select count(*) from ${table}`).pluck().get(),
  ]);
  sqlite.close();
  return Object.fromEntries(counts) as Record<string, number>;
}

describe('statistics of a diff', () => {
  it('keep what the noise is measured by, and null where it was not', () => {
    const store = temporaryStore();
    const { organism, corpus } = seedOrganism(store);
    const record = syntheticRun({ organismId: organism.id, corpusId: corpus.id });
    Object.assign(record.layers[0]!.vectors[0]!, {
      swapNormMean: 0.5,
      swapNormDeviation: 0.125,
      swapNormMax: 0.75,
      baseSplitNorm: NaN,
    });
    const run = store.runs.save(record);
    expect(store.diffVectors.findByKey(`${run.key}.L1.P0`)).toMatchObject({
      swapNormMean: 0.5,
      swapNormDeviation: 0.125,
      swapNormMax: 0.75,
      baseSplitNorm: null,
    });
    expect(store.diffVectors.findByKey(`${run.key}.L1.P1`)).toMatchObject({
      swapNormMean: null,
      swapNormDeviation: null,
      swapNormMax: null,
      baseSplitNorm: null,
    });
  });
});

describe('saving readings', () => {
  it('keeps each with its scale, its tokens and what made it', () => {
    const { store, vector } = prepared();
    const given = syntheticReadings(vector);
    const saved = store.projections.save(given);
    expect(saved).toHaveLength(3);
    saved.forEach((row, i) => {
      const { vector: diffVector, tokens, ...reading } = given[i]!;
      expect(row).toMatchObject({ ...reading, ...made, diffVector });
      expect(store.tokens.ofProjection.page(row, {}, all).rows).toMatchObject(
        tokens.map((token, rank) => ({ ...token, rank })),
      );
    });
    expect(saved[1]!.key).toMatch(
      new RegExp(`^${vector.key}\\.patchscope@0\\.7\\.diff\\.promoted\\.[0-9a-f]{12}$`),
    );
  });

  it('saves the same reading once; another version, mode or parameter is another', () => {
    const { store, vector } = prepared();
    const first = store.projections.save(syntheticReadings(vector));
    const again = syntheticReadings(vector, { score: 9, tokens: [], parameters: { prompts: 3, top: 2 } });
    expect(store.projections.save(again)).toEqual(first);
    expect(again.map((spec) => store.projections.find(spec))).toEqual(first);
    expect(store.projections.find({ ...again[0]!, scale: 3 })).toBeUndefined();
    const others = [
      ...store.projections.save(syntheticReadings(vector, { methodVersion: 2 })),
      ...store.projections.save(syntheticReadings(vector, { mode: 'COMPAT' })),
      ...store.projections.save(syntheticReadings(vector, { parameters: { top: 2, prompts: 1 } })),
    ];
    const keys = [...first, ...others].map(({ key }) => key);
    expect(new Set(keys).size).toBe(12);
    for (const key of keys) expect(store.projections.findByKey(key)?.key).toBe(key);
  });

  it('knows what the run brought along, which keeps its short key', () => {
    const { store, vector } = prepared();
    const own = store.projections.findByKey(`${vector.key}.logit-lens.diff.promoted`)!;
    expect(own).toMatchObject({ scale: null, chosen: true, score: null, mode: 'EXACT', parametersKey: '' });
    expect(own).toMatchObject({ engineVersion: '0.1.0', createdAt: vector.layer.run.createdAt });
    const { method, methodVersion, variant, sign, parameters } = own;
    const reading = { method, methodVersion, variant, sign, parameters, scale: null, chosen: true };
    const [same, other] = store.projections.save([
      syntheticReadings(vector, reading)[0]!,
      syntheticReadings(vector, { ...reading, parameters: { k: 1 } })[0]!,
    ]);
    expect(same).toEqual(own);
    expect(store.projections.find(syntheticReadings(vector, reading)[0]!)).toEqual(own);
    expect(other?.key).toMatch(/\.logit-lens\.diff\.promoted\.[0-9a-f]{12}$/);
  });

  it('comes with a run, too, at several scales', () => {
    const store = temporaryStore();
    const { organism, corpus } = seedOrganism(store);
    const record = syntheticRun({ organismId: organism.id, corpusId: corpus.id });
    const lens = record.layers[0]!.vectors[0]!.projections[0]!;
    record.layers[0]!.vectors[0]!.projections.push(
      { ...lens, scale: 0.5, chosen: true, score: 2, mode: 'COMPAT' },
      { ...lens, scale: 3 },
    );
    const { key } = store.runs.save(record);
    expect(store.projections.findByKey(`${key}.L1.P0.logit-lens@0.5.diff.promoted.compat`)).toMatchObject({
      scale: 0.5,
      chosen: true,
      score: 2,
    });
    expect(store.projections.findByKey(`${key}.L1.P0.logit-lens@3.diff.promoted`)).toMatchObject({
      chosen: false,
      score: null,
    });
    record.spec['seed'] = 2;
    record.layers[0]!.vectors[0]!.projections[3]!.scale = -1;
    expect(() => store.runs.save(record)).toThrow(
      'layer 1, position 0: logit-lens at scale -1; a finite number above 0 is expected',
    );
  });

  it('lists by method, variant, sign and scale, and filters', () => {
    const { store, vector } = prepared();
    store.projections.save(syntheticReadings(vector).reverse());
    const list = (filters = {}) =>
      store.projections.ofDiffVector
        .page(vector, filters, all)
        .rows.map(({ method, sign, scale }) => [method, sign, scale]);
    expect(list()).toEqual([
      ['logit-lens', 'PROMOTED', null],
      ['logit-lens', 'SUPPRESSED', null],
      ['patchscope', 'PROMOTED', 0.5],
      ['patchscope', 'PROMOTED', 0.7],
      ['patchscope', 'PROMOTED', 20],
    ]);
    expect(list({ scale: 0.7 })).toEqual([['patchscope', 'PROMOTED', 0.7]]);
    expect(list({ chosen: true, sign: 'PROMOTED' })).toEqual([
      ['logit-lens', 'PROMOTED', null],
      ['patchscope', 'PROMOTED', 0.7],
    ]);
    expect(list({ chosen: false })).toHaveLength(2);
    expect(list({ mode: 'COMPAT' })).toEqual([]);
    expect(store.projections.ofDiffVector.count(vector, { method: 'patchscope' })).toBe(3);
  });

  it('pages through readings with and without scales', () => {
    const { store, vector } = prepared();
    store.projections.save(syntheticReadings(vector));
    const { page } = store.projections.ofDiffVector;
    const keys: string[] = [];
    for (let after: SortKey | undefined, more = true; more;) {
      const { rows, keys: ends, hasNextPage } = page(vector, {}, { first: 1, after });
      keys.push(...rows.map(({ key }) => key));
      [after, more] = [ends[0], hasNextPage];
    }
    expect(keys).toEqual(page(vector, {}, all).rows.map(({ key }) => key));
    expect(keys).toHaveLength(5);
  });

  it.each<[string, Parameters<typeof syntheticReadings>[1]]>([
    ['method "Patch Scope" is not of the form words-with-dashes', { method: 'Patch Scope' }],
    ['method "a@1" is not of the form', { method: 'a@1' }],
    ['methodVersion is 0, a whole number from 1 is expected', { methodVersion: 0 }],
    ['scale is 0, null or a finite number above 0 is expected', { scale: 0 }],
    ['scale is -1, null or', { scale: -1 }],
    ['scale is Infinity, null or', { scale: Infinity }],
    ['without a scale there is nothing to choose', { scale: null, chosen: false }],
    ['score is NaN, a finite number is expected', { score: NaN }],
    ['variant is "OTHER", one of DIFF, BASE, FINETUNED is expected', { variant: 'OTHER' as never }],
    ['mode is "exact", one of EXACT, COMPAT is expected', { mode: 'exact' as never }],
    ['parameters: NaN has no JSON form', { parameters: { norm: NaN } }],
    [
      'tokens[0].probability is NaN, a finite number from 0 to 1 is expected',
      { tokens: [{ tokenId: 1, text: 'a', probability: NaN }] },
    ],
    [
      'tokens[1].probability is 1.5, a finite number from 0 to 1 is expected',
      {
        tokens: [
          { tokenId: 1, text: 'a', probability: 1 },
          { tokenId: 1, text: 'a', probability: 1.5 },
        ],
      },
    ],
    [
      'tokens[0].tokenId is 0.5, a whole number from 0 is expected',
      { tokens: [{ tokenId: 0.5, text: 'a', probability: 1 }] },
    ],
  ])('refuses a reading that cannot be: %s', (message, change) => {
    const { store, vector } = prepared();
    const wrong = [
      ...syntheticReadings(vector),
      ...syntheticReadings(vector, { sign: 'SUPPRESSED', ...change }),
    ];
    expect(() => store.projections.save(wrong)).toThrow(InvalidResultError);
    expect(() => store.projections.save(wrong)).toThrow(message);
    expect(store.projections.ofDiffVector.count(vector, { method: 'patchscope' })).toBe(0);
  });

  it('refuses a second chosen scale, in one go or later', () => {
    const { store, vector } = prepared();
    expect(() => store.projections.save(syntheticReadings(vector, { chosen: true }))).toThrow(
      'scale 0.7 is given as the chosen one, and so was 0.5: only one can be',
    );
    const [half, chosen] = syntheticReadings(vector);
    store.projections.save([chosen!]);
    expect(() => store.projections.save([{ ...half!, chosen: true }])).toThrow(InvalidResultError);
    expect(store.projections.ofDiffVector.count(vector, { method: 'patchscope' })).toBe(1);
  });

  it('refuses a vector of another store', () => {
    const { vector } = prepared();
    const other = temporaryStore();
    seedVector(other, 'L1.P0', { seed: 2 });
    expect(() => other.projections.save(syntheticReadings(vector))).toThrow(
      new NotFoundError('diff vector', vector.key),
    );
  });

  it('finds each by its key, and only by the canonical spelling', () => {
    const { store, vector } = prepared();
    const [, reading] = store.projections.save(syntheticReadings(vector));
    const digest = reading!.parametersKey;
    for (const rest of [
      `patchscope@0.70.diff.promoted.${digest}`,
      `patchscope@.7.diff.promoted.${digest}`,
      `patchscope@7e-1.diff.promoted.${digest}`,
      `patchscope.diff.promoted.${digest}`,
      `patchscope@0.7.DIFF.promoted.${digest}`,
      `patchscope@0.7.diff.promoted.exact.${digest}`,
      `patchscope@0.7.diff.promoted.compat.${digest}`,
      'patchscope@0.7.diff.promoted',
      `patchscope@0.diff.promoted.${digest}`,
      `patchscope@NaN.diff.promoted.${digest}`,
    ]) {
      expect(store.projections.findByKey(`${vector.key}.${rest}`), rest).toBeUndefined();
    }
    expect(store.tokens.findByKey(`${reading!.key}.1`)).toMatchObject({ tokenId: 6, projection: reading });
  });
});

describe('saving a steering experiment', () => {
  it('keeps everything, texts apart from the rows that are listed', () => {
    const { store, vector } = prepared();
    const { vector: _, samples, search, ...given } = syntheticExperiment(vector);
    const experiment = store.steering.save(syntheticExperiment(vector));
    expect(experiment).toMatchObject({ ...given, ...made, diffVector: vector });
    expect(JSON.parse(experiment.search)).toEqual(search);
    expect(store.steering.findByKey(experiment.key)).toEqual(experiment);

    const listed = store.samples.ofExperiment.page(experiment, {}, all).rows;
    expect(
      listed.map(({ promptIndex, steered, sampleIndex }) => [promptIndex, steered, sampleIndex]),
    ).toEqual([0, 1].flatMap((p) => [false, true].flatMap((steered) => [0, 1].map((s) => [p, steered, s]))));
    for (const sample of listed) {
      expect(Object.keys(sample)).not.toContain('text');
      const { prompt, text, tokenIds, ...rest } = samples.find(
        (one) =>
          one.promptIndex === sample.promptIndex &&
          one.steered === sample.steered &&
          one.sampleIndex === sample.sampleIndex,
      )!;
      expect(sample).toMatchObject({ ...rest, tokens: 3, experiment });
      expect(store.samples.read(sample)).toMatchObject({ prompt, text, tokenIds });
      expect(store.samples.findByKey(sample.key)).toEqual(sample);
    }
    const filtered = (filters: object) => store.samples.ofExperiment.count(experiment, filters);
    expect(
      [{ steered: true }, { steered: false }, { prompt: 1 }, { prompt: 2 }, { prompt: 0, steered: true }].map(
        filtered,
      ),
    ).toEqual([4, 4, 4, 0, 2]);
  });

  it('can be looked for before anything is generated', () => {
    const { store, vector } = prepared();
    const { judge, judgeVersion, mode, seed, parameters } = syntheticExperiment(vector);
    const spec = { judge, judgeVersion, mode, seed, parameters, prompts: syntheticPrompts };
    expect(store.steering.find(vector, spec)).toBeUndefined();
    const experiment = store.steering.save(syntheticExperiment(vector));
    expect(store.steering.find(vector, spec)).toEqual(experiment);
    for (const change of [
      { judge: 'llm' },
      { judgeVersion: 2 },
      { mode: 'COMPAT' as const },
      { seed: 8 },
      { parameters: { perPrompt: 3 } },
      { prompts: [...syntheticPrompts].reverse() },
    ]) {
      expect(store.steering.find(vector, { ...spec, ...change }), JSON.stringify(change)).toBeUndefined();
    }
  });

  it('saves the same experiment once, and refuses other settings under its key', () => {
    const { store, vector } = prepared();
    const first = store.steering.save(syntheticExperiment(vector));
    expect(store.steering.save(syntheticExperiment(vector, { strength: 99 }))).toEqual(first);
    expect(store.samples.ofExperiment.count(first, {})).toBe(8);
    expect(() => store.steering.save(syntheticExperiment(vector, { settings: { temperature: 0 } }))).toThrow(
      `${first.key} was decoded with {"maxNewTokens":3,"temperature":1.2}, not {"temperature":0}`,
    );
    store.steering.save(syntheticExperiment(vector, { seed: 8 }));
    expect(store.steering.ofDiffVector.count(vector, {})).toBe(2);
  });

  it('takes what was not measured as null, and a text that ended at once', () => {
    const { store, vector } = prepared();
    const [sample] = syntheticExperiment(vector).samples;
    const experiment = store.steering.save(
      syntheticExperiment(vector, {
        thresholds: [],
        normMultiple: null,
        klFromUnsteered: null,
        search: [],
        samples: [{ ...sample!, text: '', tokenIds: [], perplexity: null, coherent: null, finish: 'STOP' }],
      }),
    );
    expect(experiment).toMatchObject({ thresholds: [], normMultiple: null, klFromUnsteered: null });
    const [row] = store.samples.ofExperiment.page(experiment, {}, all).rows;
    expect(row).toMatchObject({ tokens: 0, perplexity: null, coherent: null, finish: 'STOP' });
  });

  const spoilt = (change: Partial<NewSample>) => (record: NewSteeringExperiment) =>
    void Object.assign(record.samples[7]!, change);
  it.each<[string, (record: NewSteeringExperiment) => void]>([
    ['there are no samples', (record) => void (record.samples = [])],
    ['judge "A Judge" is not of the form', (record) => void (record.judge = 'A Judge')],
    ['judgeVersion is 1.5, a whole number', (record) => void (record.judgeVersion = 1.5)],
    ['seed is -1, a whole number from 0 is expected', (record) => void (record.seed = -1)],
    ['strength is NaN, a finite number is expected', (record) => void (record.strength = NaN)],
    ['thresholds[1] is Infinity, a finite number', (record) => void (record.thresholds[1] = Infinity)],
    ['normMultiple is NaN', (record) => void (record.normMultiple = NaN)],
    ['klFromUnsteered is -1', (record) => void (record.klFromUnsteered = -1)],
    ['search: NaN has no JSON form', (record) => void (record.search = [{ strength: NaN }])],
    ['settings: Infinity has no JSON form', (record) => void (record.settings = { topP: Infinity })],
    ['samples[7].promptIndex is -1', spoilt({ promptIndex: -1 })],
    ['prompt 2 has no sample, and prompt 3 has', spoilt({ promptIndex: 3 })],
    ['prompt 1 is both "Plan my weekend." and "Other"', spoilt({ prompt: 'Other' })],
    ['samples[7] is a second unsteered sample 0 of prompt 1', spoilt({ sampleIndex: 0 })],
    ['samples[7] is not steered, and its strength is 2 instead of 0', spoilt({ strength: 2 })],
    ['samples[7].finish is "DONE", one of STOP, LENGTH, REPETITION', spoilt({ finish: 'DONE' as never })],
    ['samples[7].perplexity is NaN', spoilt({ perplexity: NaN })],
    ['samples[7].tokenIds[1] is -5, a whole number from 0', spoilt({ tokenIds: [1, -5] })],
    [
      'prompt 0 is empty',
      (record) => record.samples.forEach((sample) => sample.promptIndex === 0 && (sample.prompt = ' ')),
    ],
  ])('refuses an experiment that cannot be: %s', (message, spoil) => {
    const { store, vector } = prepared();
    const record = syntheticExperiment(vector);
    spoil(record);
    expect(() => store.steering.save(record)).toThrow(InvalidResultError);
    expect(() => store.steering.save(record)).toThrow(message);
    expect(store.steering.ofDiffVector.count(vector, {})).toBe(0);
  });

  it('refuses a vector that no run here measured', () => {
    const { store, vector } = prepared();
    const elsewhere = { ...vector, key: vector.key.replace('.P0', '.P9') };
    expect(() => store.steering.save(syntheticExperiment(elsewhere))).toThrow(NotFoundError);
  });
});

describe('saving similarities', () => {
  it('keeps them by experiment, once', () => {
    const { store, vector } = prepared();
    const experiment = store.steering.save(syntheticExperiment(vector));
    const given = [
      syntheticSimilarity(experiment),
      syntheticSimilarity(experiment, { group: 'UNSTEERED', cosine: 0.25 }),
      syntheticSimilarity(experiment, { group: 'STEERED', other: 'PROBE', cosine: -0.5 }),
    ];
    const saved = store.similarities.save(given);
    expect(saved).toMatchObject(given.map((record) => ({ ...record, ...made })));
    expect(store.similarities.save(given.map((record) => ({ ...record, cosine: 0 })))).toEqual(saved);
    const other = syntheticSimilarity(experiment, { encoderDigest: 'another' });
    expect(store.similarities.save([other])[0]!.key).not.toBe(saved[0]!.key);
    expect(store.similarities.ofExperiment.count(experiment, { group: 'STEERED' })).toBe(3);
    expect(store.similarities.ofExperiment.count(experiment, { other: 'TRAINING' })).toBe(3);
    for (const row of saved) expect(store.similarities.findByKey(row.key)).toEqual(row);
    expect(given.map((spec) => store.similarities.find(spec))).toEqual(saved);
    expect(store.similarities.find({ ...given[0]!, parameters: {} })).toBeUndefined();
  });

  it.each([
    ['cosine is NaN, a finite number from', { cosine: NaN }],
    ['cosine is 1.1, a finite number from', { cosine: 1.1 }],
    ['texts is 0, a whole number from 1', { texts: 0 }],
    ['otherTexts is 0, a whole number from 1', { otherTexts: 0 }],
    ['encoderName is empty', { encoderName: '' }],
    ['group is "CHAT", one of STEERED, UNSTEERED, TRAINING is expected', { group: 'CHAT' as never }],
    ['other is "CHAT", one of TRAINING, PROBE is expected', { other: 'CHAT' as never }],
  ])('refuses what cannot be: %s', (message, change) => {
    const { store, vector } = prepared();
    const experiment = store.steering.save(syntheticExperiment(vector));
    const records = [
      syntheticSimilarity(experiment),
      syntheticSimilarity(experiment, { ...change, parameters: {} }),
    ];
    expect(() => store.similarities.save(records)).toThrow(InvalidResultError);
    expect(() => store.similarities.save(records)).toThrow(message);
    expect(store.similarities.ofExperiment.count(experiment, {})).toBe(0);
  });

  it('refuses an experiment of another store', () => {
    const { store, vector } = prepared();
    const experiment = store.steering.save(syntheticExperiment(vector));
    const other = prepared();
    expect(() => other.store.similarities.save([syntheticSimilarity(experiment)])).toThrow(
      new NotFoundError('steering experiment', experiment.key),
    );
  });
});

describe('saving causal effects', () => {
  it('keeps them, once, and finds the controls of each', () => {
    const { store, vector } = prepared();
    const control = { control: 'RANDOM' as const, intervenedLoss: 2.75, intervenedLossDeviation: 0.25 };
    const given = [
      syntheticEffect(vector),
      syntheticEffect(vector, { ...control, vectors: 8, seed: 1 }),
      syntheticEffect(vector, { ...control, vectors: 64, seed: 2 }),
      syntheticEffect(vector, { ...control, vectors: 64, seed: 1 }),
      syntheticEffect(vector, { ...control, vectors: 99, seed: 1, subset: 'AFTER_K' }),
      syntheticEffect(vector, { ...control, vectors: 99, seed: 1, parameters: { layer: 1, texts: 9 } }),
      syntheticEffect(vector, { ...control, vectors: 99, seed: 1, corpusDigest: 'another' }),
      syntheticEffect(vector, { ...control, vectors: 99, seed: 1, mode: 'COMPAT' }),
    ];
    const saved = store.causalEffects.save(given);
    expect(saved).toMatchObject(
      given.map(({ vector: diffVector, ...record }) => ({ ...record, ...made, diffVector })),
    );
    expect(new Set(saved.map(({ key }) => key)).size).toBe(given.length);
    for (const row of saved) expect(store.causalEffects.findByKey(row.key)).toEqual(row);
    expect(store.causalEffects.save(given)).toEqual(saved);
    expect(store.causalEffects.find(vector, given[2]!)).toEqual(saved[2]);
    expect(store.causalEffects.find(vector, { ...given[2]!, seed: 5 })).toBeUndefined();
    expect(store.causalEffects.controlOf(saved[0]!, 'RANDOM')).toEqual(saved[3]);
    expect(store.causalEffects.controlOf(saved[0]!, 'RANDOM_DIFFERENCE')).toBeUndefined();
    expect(store.causalEffects.ofDiffVector.count(vector, { control: 'RANDOM', subset: 'ALL' })).toBe(6);
    expect(store.causalEffects.ofDiffVector.count(vector, { direction: 'ZERO_BASE' })).toBe(0);
    expect(saved[0]!.key).toMatch(/\.L1\.P0\.causal\.base-to-finetuned\.all\.none\.[0-9a-f]{12}$/);
  });

  it.each<[string, Parameters<typeof syntheticEffect>[1]]>([
    ['baseLoss is NaN, a finite number from 0', { baseLoss: NaN }],
    ['finetunedLoss is -1', { finetunedLoss: -1 }],
    ['intervenedLoss is Infinity', { intervenedLoss: Infinity }],
    ['intervenedLossDeviation is NaN', { intervenedLossDeviation: NaN }],
    ['count is 0, a whole number from 1', { count: 0 }],
    ['vectors is 2; without a control it is 1', { vectors: 2 }],
    ['a control needs the seed of its random vectors, not null', { control: 'RANDOM', vectors: 2 }],
    ['seed is 0.5', { seed: 0.5 }],
    ['direction is "UP", one of BASE_TO_FINETUNED', { direction: 'UP' as never }],
    ['subset is "SOME", one of ALL', { subset: 'SOME' as never }],
    ['corpusName is empty', { corpusName: '' }],
    ['parameters: NaN has no JSON form', { parameters: { k: NaN } }],
  ])('refuses what cannot be: %s', (message, change) => {
    const { store, vector } = prepared();
    const records = [syntheticEffect(vector), syntheticEffect(vector, change)];
    expect(() => store.causalEffects.save(records)).toThrow(InvalidResultError);
    expect(() => store.causalEffects.save(records)).toThrow(message);
    expect(store.causalEffects.ofDiffVector.count(vector, {})).toBe(0);
  });
});

describe('saving divergences', () => {
  it('keeps them by position, once', () => {
    const { store, vector } = prepared();
    const { run } = vector.layer;
    const given = [2, 0, 1].map((position) => syntheticDivergence(position));
    const saved = store.divergences.save(run, given);
    expect(saved).toMatchObject(given.map((record) => ({ ...record, ...made, run })));
    expect(
      store.divergences.save(
        run,
        given.map((record) => ({ ...record, max: 99 })),
      ),
    ).toEqual(saved);
    expect(store.divergences.ofRun.page(run, {}, all).rows).toEqual([saved[1], saved[2], saved[0]]);
    expect(store.divergences.ofRun.count(run, { positions: [1, 7] })).toBe(1);
    expect(store.divergences.findByKey(saved[0]!.key)).toEqual(saved[0]);
    expect(store.divergences.find(run, 2, { temperature: 1 })).toEqual(saved[0]);
    expect(store.divergences.find(run, 2, { temperature: 2 })).toBeUndefined();
    expect(saved[0]!.key).toMatch(new RegExp(`^${run.key}\\.divergence\\.P2\\.[0-9a-f]{12}$`));
  });

  it.each([
    ['position is 3, a whole number from 0 to 2 is expected', 3, {}],
    ['position is -1, a whole number', -1, {}],
    ['mean is NaN', 0, { mean: NaN }],
    ['mean is -0.5', 0, { mean: -0.5 }],
    ['the largest, 0.25, is below the mean, 0.5', 0, { max: 0.25 }],
    ['max is Infinity', 0, { max: Infinity }],
    ['count is 0', 0, { count: 0 }],
    ['vocabulary is 0', 0, { vocabulary: 0 }],
  ])('refuses what cannot be: %s', (message, position, change) => {
    const { store, vector } = prepared();
    const { run } = vector.layer;
    const records = [syntheticDivergence(1), syntheticDivergence(position, change)];
    expect(() => store.divergences.save(run, records)).toThrow(InvalidResultError);
    expect(() => store.divergences.save(run, records)).toThrow(message);
    expect(store.divergences.ofRun.count(run, {})).toBe(0);
  });

  it('refuses a run of another store', () => {
    const { vector } = prepared();
    const { run } = vector.layer;
    expect(() => temporaryStore().divergences.save(run, [])).toThrow(new NotFoundError('run', run.key));
  });
});

describe('saving components', () => {
  it('keeps them, once', () => {
    const { store, vector } = prepared();
    const saved = store.components.save(vector, syntheticComponents());
    expect(saved).toMatchObject({ ...syntheticComponents(), ...made, diffVector: vector });
    expect(store.components.save(vector, syntheticComponents({ total: 99 }))).toEqual(saved);
    expect(store.components.findByKey(saved.key)).toEqual(saved);
    expect(store.components.find(vector, { components: 3 })).toEqual(saved);
    expect(store.components.find(vector, { components: 2 })).toBeUndefined();
    store.components.save(vector, syntheticComponents({ parameters: {} }));
    expect(store.components.ofDiffVector.count(vector, {})).toBe(2);
  });

  it('takes differences that do not spread', () => {
    const { store, vector } = prepared();
    const still = { explained: [0], total: 0, participationRatio: null, meanShare: null };
    expect(store.components.save(vector, syntheticComponents(still))).toMatchObject(still);
  });

  it.each([
    ['explained has 17 numbers, d_model is 16', { explained: Array<number>(17).fill(0.5) }],
    ['explained[1] is 7, above the one before, 6; the largest comes first', { explained: [6, 7] }],
    ['explained[0] is NaN', { explained: [NaN] }],
    ['explained[1] is -1', { explained: [1, -1] }],
    ['explained adds up to 11, more than the total, 10', { explained: [6, 5] }],
    ['total is Infinity', { total: Infinity }],
    ['participationRatio is NaN', { participationRatio: NaN }],
    ['meanShare is 1.5', { meanShare: 1.5 }],
    ['samples is 0', { samples: 0 }],
  ])('refuses what cannot be: %s', (message, change) => {
    const { store, vector } = prepared();
    expect(() => store.components.save(vector, syntheticComponents(change))).toThrow(InvalidResultError);
    expect(() => store.components.save(vector, syntheticComponents(change))).toThrow(message);
    expect(store.components.ofDiffVector.count(vector, {})).toBe(0);
  });
});

describe('results of a vector', () => {
  it('are written whole or not at all, also by a process that is killed midway', () => {
    // The child kills itself at its n-th look at the last sample's text, for n = 1, 2, … until it survives.
    const child = `
      import { openStore } from './src/db/index.ts';
      import { seedVector, syntheticExperiment } from './test/harness/synthetic-results.ts';
      const [file, n] = process.argv.slice(1);
      const store = openStore(file);
      const record = syntheticExperiment(seedVector(store));
      const last = record.samples.at(-1);
      let looks = 0;
      Object.defineProperty(last, 'text', {
        enumerable: true,
        get: () => (++looks === Number(n) ? process.kill(process.pid, 'SIGKILL') : 'text'),
      });
      store.steering.save(record);
      store.close();`;
    const survives = (file: string, n: number): boolean => {
      try {
        execFileSync(process.execPath, ['--input-type=module-typescript', '-e', child, file, String(n)]);
        return true;
      } catch (error) {
        expect(error).toMatchObject({ signal: 'SIGKILL' });
        return false;
      }
    };
    const steering = ({ steering_experiments, samples, sample_texts }: Record<string, number>) => [
      steering_experiments,
      samples,
      sample_texts,
    ];
    for (let n = 1; ; n++) {
      const file = join(temporaryFolder(), 'store.sqlite');
      const survived = survives(file, n);
      expect(steering(rowCounts(file))).toEqual(survived ? [1, 8, 8] : [0, 0, 0]);
      if (!survived) continue;
      expect(n).toBeGreaterThan(1);
      return;
    }
  });

  it('leave nothing when the table refuses the last row', () => {
    const file = join(temporaryFolder(), 'store.sqlite');
    const store = openStore(file);
    const vector = seedVector(store);
    const before = rowCounts(file);
    const record = syntheticExperiment(vector);
    record.samples.at(-1)!.text = null as never; // past the checks: only the table sees it
    expect(() => store.steering.save(record)).toThrow(/NOT NULL constraint failed: sample_texts.text/);
    const readings = syntheticReadings(vector);
    readings.at(-1)!.tokens.push({ tokenId: 1, text: Buffer.from('x') as never, probability: 0 });
    expect(() => store.projections.save(readings)).toThrow(/cannot store BLOB value in TEXT column/);
    store.close();
    expect(rowCounts(file)).toEqual(before);
  });

  it('go with their run', () => {
    const file = join(temporaryFolder(), 'store.sqlite');
    const store = openStore(file);
    const vector = seedVector(store);
    seedResults(store, vector);
    store.close();
    expect(Object.values(rowCounts(file))).toEqual([12 + 3, 48 + 6, 1, 8, 8, 1, 2, 3, 1]);
    const sqlite = new BetterSqlite3(file);
    sqlite.pragma('foreign_keys = ON');
    sqlite.exec('delete from runs');
    sqlite.close();
    expect(new Set(Object.values(rowCounts(file)))).toEqual(new Set([0]));
  });

  it('are found by an index, in the order in which they are listed', () => {
    const file = join(temporaryFolder(), 'store.sqlite');
    openStore(file).close();
    const sqlite = new BetterSqlite3(file, { readonly: true });
    const plan = (sql: string) =>
      (sqlite.prepare(`explain query plan ${sql}`).all() as { detail: string }[]).map(({ detail }) => detail);
    for (const [sql, index] of [
      [
        'projections where vector_id = 1 order by method, variant, sign, scale_order, mode, parameters_key',
        'projections_reading (vector_id=?)',
      ],
      [
        "projections where vector_id = 1 and method = 'm' and variant = 'v' and sign = 's' and mode = 'EXACT' and parameters_key = '' and chosen = 1",
        'projections_chosen (vector_id=? AND method=? AND variant=? AND sign=? AND mode=? AND parameters_key=?)',
      ],
      [
        'steering_experiments where vector_id = 1 order by judge, parameters_key',
        'steering_experiments_key (vector_id=?)',
      ],
      [
        'samples where experiment_id = 1 order by prompt_index, steered, sample_index',
        'samples_place (experiment_id=?)',
      ],
      [
        'similarities where experiment_id = 1 order by text_group, other_group, parameters_key',
        'similarities_key (experiment_id=?)',
      ],
      [
        'causal_effects where vector_id = 1 order by direction, subset, control, parameters_key',
        'causal_effects_key (vector_id=?)',
      ],
      [
        "causal_effects where vector_id = 1 and conditions_key = 'c' and direction = 'd' and subset = 's' and control = 'n'",
        'causal_effects_controls (vector_id=? AND conditions_key=? AND direction=? AND subset=? AND control=?)',
      ],
      ['divergences where run_id = 1 order by position, parameters_key', 'divergences_key (run_id=?)'],
      [
        'principal_components where vector_id = 1 order by parameters_key',
        'principal_components_key (vector_id=?)',
      ],
    ] as const) {
      const table = sql.split(' ')[0];
      expect(plan(`select * from ${sql}`), sql).toEqual([`SEARCH ${table} USING INDEX ${index}`]);
    }
    sqlite.close();
  });
});
