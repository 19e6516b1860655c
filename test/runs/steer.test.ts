import { copyFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { RunRow, Store } from '../../src/db/index.ts';
import { derivedSeed } from '../../src/lib/derived-seed.ts';
import { meanCosine } from '../../src/lib/mean-cosine.ts';
import { klDivergence, Model } from '../../src/native/index.ts';
import { compareTexts } from '../../src/runs/compare.ts';
import { steer, type SteerOptions } from '../../src/runs/steer.ts';
import { layerOf, unitOf, vectorsOf } from '../../src/runs/stored-run.ts';
import type { CoherenceJudge } from '../../src/steering/judge.ts';
import { probes } from '../../src/steering/prompts/index.ts';
import { everyday } from '../harness/command.ts';
import { coherenceJudge } from '../../src/graders/index.ts';
import { judgeExperiment } from '../../src/runs/grade-coherence.ts';
import { withJudge } from '../../src/runs/judge.ts';
import { chatServer, materialOf } from '../harness/chat-server.ts';
import { measuredCake, rowsOf } from '../harness/measured-cake.ts';
import { bundled, copyOf, editJson, openPair } from '../harness/models.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const prompts = ['In the morning', 'The engineer', 'Once'];
const small: SteerOptions = {
  positions: [1],
  prompts,
  probes: probes.slice(0, 2),
  samples: 2,
  plain: true,
  tokens: 12,
  searchTokens: 24,
  temperature: 0.8,
  searchTemperature: 0.8,
  calibrationSamples: 16,
  search: { samples: 4, decisions: 3, laterDecisions: 2, most: 2, batch: 8, retests: 2 },
};
const everything = { first: 1000 };

const textsOf = (store: Store, experiment: Parameters<Store['samples']['ofExperiment']['page']>[0]) =>
  store.samples.ofExperiment
    .page(experiment, {}, everything)
    .rows.map((sample) => ({ ...sample, ...store.samples.read(sample) }));

/** The vector that is added at strength 1, and the models. */
async function parts(store: Store, run: RunRow) {
  const layer = layerOf(store, run, undefined);
  const [row] = vectorsOf(store, layer, [1]);
  const vector = unitOf(store, row!).map((value) => value * layer.finetunedNorm!);
  const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
  return { vector, base, finetuned };
}

describe('an experiment', () => {
  test('finds a strength, writes texts with it and without, and keeps all that made them', async () => {
    const { store, run } = await measuredCake();
    const phases: string[] = [];
    const [steered] = await steer(store, run, { ...small, onPhase: (phase) => phases.push(phase) });
    const { experiment, reused } = steered!;
    expect(reused).toBe(false);
    expect(phases).toEqual(['digest', 'calibrate', 'samples', 'search', 'samples', 'judge', 'save']);
    expect(experiment).toMatchObject({
      judge: 'surprise-and-repetition',
      judgeVersion: 1,
      mode: 'EXACT',
      seed: 0,
    });
    expect(experiment.thresholds).toHaveLength(2);
    expect(experiment.strength).toBeGreaterThan(0);
    expect(experiment.strength).toBeLessThan(2);
    expect(experiment.settings).toMatchObject({
      decoding: { temperature: 0.8, topK: 50, maxNewTokens: 12, seed: derivedSeed(0, 'samples') },
      calibration: {
        texts: expect.any(Number) as number,
        limits: { surprise: expect.any(Number) as number },
      },
    });
    const { tested } = JSON.parse(experiment.search) as {
      tested: { prompt: number; strength: number; texts: { text: string; verdict: string }[] }[];
    };
    expect(tested.filter(({ prompt }) => prompt === 0).map(({ strength }) => strength)).toEqual([
      0, 1, 0.5, 0.25, 0.75, 1.5, 1.25, 1.75,
    ]);
    for (const { texts } of tested) expect(texts.length).toBeGreaterThanOrEqual(4);

    const texts = textsOf(store, experiment);
    expect(
      texts.map(({ promptIndex, steered, sampleIndex }) => [promptIndex, Number(steered), sampleIndex]),
    ).toEqual(
      [0, 1, 2].flatMap((prompt) =>
        [0, 1].flatMap((steered) => [0, 1].map((sample) => [prompt, steered, sample])),
      ),
    );
    expect(texts.map(({ prompt }) => prompt)).toEqual(
      prompts.flatMap((prompt) => Array.from({ length: 4 }, () => prompt)),
    );
    for (const text of texts) {
      expect(text.strength).toBe(text.steered ? experiment.strength : 0);
      expect(text.tokenIds.length).toBeLessThanOrEqual(12);
      expect(text.tokens).toBe(text.tokenIds.length);
    }

    // The texts are what the engine writes, whatever it is asked beside them.
    const { vector, base, finetuned } = await parts(store, run);
    const [alone] = await finetuned.generate([base.tokenizer.encode(prompts[1]!)], {
      steer: { layer: 3, vector, strengths: experiment.strength },
      maxNewTokens: 12,
      temperature: 0.8,
      seed: derivedSeed(0, 'samples'),
    });
    const own = texts.find(
      ({ promptIndex, steered, sampleIndex }) => promptIndex === 1 && steered && sampleIndex === 0,
    )!;
    expect(own.tokenIds).toEqual(alone!.ids);
    expect(own.finish).toBe(alone!.finish);
    const said = base.tokenizer.encode(own.text);
    if (said.length > 1)
      expect(own.perplexity).toBeCloseTo(Math.exp((await base.crossEntropy([said])).mean), 6);
  });

  test('says how far it is from the unsteered model', async () => {
    const { store, run } = await measuredCake();
    const [steered] = await steer(store, run, { ...small, strength: 0.75 });
    const { experiment } = steered!;
    expect(experiment.thresholds).toEqual([]);
    expect(experiment.strength).toBe(0.75);
    const { vector, base, finetuned } = await parts(store, run);
    const firsts = textsOf(store, experiment).filter(({ sampleIndex }) => sampleIndex === 0);
    const ids = prompts.map((prompt) => base.tokenizer.encode(prompt));

    const spoken = firsts.filter((text) => text.steered && text.tokenIds.length > 0);
    const { perToken } = await klDivergence(
      finetuned,
      finetuned,
      spoken.map(({ promptIndex, tokenIds }) => [...ids[promptIndex]!, ...tokenIds]),
      { intervene: { kind: 'add', layer: 3, vector: vector.map((value) => 0.75 * value) } },
    );
    const drawn = spoken.flatMap(({ promptIndex, tokenIds }, i) => {
      const from = ids[promptIndex]!.length - 1;
      return [...perToken[i]!.subarray(from, from + tokenIds.length)];
    });
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(experiment.klFromUnsteered).toBeCloseTo(mean(drawn), 9);
    expect(experiment.klFromUnsteered).toBeGreaterThan(0.01);

    const unsteered = firsts.filter((text) => !text.steered);
    const [residuals] = await finetuned.residuals(
      unsteered.map(({ promptIndex, tokenIds }) => [...ids[promptIndex]!, ...tokenIds]),
      { layers: [3] },
    );
    const norms = residuals!.flatMap((sequence) =>
      Array.from({ length: sequence.length / 128 }, (_, t) =>
        Math.hypot(...sequence.subarray(t * 128, (t + 1) * 128)),
      ),
    );
    const norm = layerOf(store, run, undefined).finetunedNorm!;
    expect(experiment.normMultiple).toBeCloseTo((0.75 * norm) / mean(norms), 6);
  });

  test('asked again is read, without a model; asked otherwise is another', async () => {
    const { store, run } = await measuredCake();
    const options = { ...small, strength: 0.5 };
    const [first] = await steer(store, run, options);
    const phases: string[] = [];
    const [again] = await steer(store, run, { ...options, onPhase: (phase) => phases.push(phase) });
    expect(again).toEqual({ ...first, reused: true });
    expect(phases).toEqual([]);
    const [more, other] = await steer(store, run, { ...options, positions: [1, 2] });
    expect([more!.reused, other!.reused]).toEqual([true, false]);
    expect((await steer(store, run, { ...options, seed: 1 }))[0]!.reused).toBe(false);
    expect((await steer(store, run, { ...options, mode: 'COMPAT' }))[0]!.experiment.mode).toBe('COMPAT');
    expect(rowsOf(store, run).experiments).toBe(4);
  });

  test('no stage, no prompt of the search and no neighbouring seed draws with the same seed', async () => {
    const { store, run } = await measuredCake();
    const seeds = vi.spyOn(Model.prototype, 'generate');
    const used = async (seed: number) => {
      seeds.mockClear();
      await steer(store, run, { ...small, seed });
      return new Set(seeds.mock.calls.map(([, options]) => options?.seed));
    };
    const [one, next] = [await used(0), await used(1)];
    seeds.mockRestore();
    expect(one).toContain(derivedSeed(0, 'calibration'));
    expect(one).toContain(derivedSeed(0, 'samples'));
    for (const prompt of [0, 1]) expect(one).toContain(derivedSeed(0, 'search', prompt, 0, 0));
    expect([...one].filter((seed) => next.has(seed))).toEqual([]);
    expect(one).not.toContain(0);
  });

  test('asked again is read, also when the folder that has the chat template is gone', async () => {
    const base = copyOf(bundled('tiny-qwen3'));
    const { store, run } = await measuredCake({ base });
    const options = { ...small, strength: 0.5 };
    const [plain] = await steer(store, run, options);
    const [chat] = await steer(store, run, { ...options, plain: false });
    renameSync(base, `${base}-moved`);
    expect(await steer(store, run, options)).toEqual([{ ...plain, reused: true }]);
    expect(await steer(store, run, { ...options, plain: false })).toEqual([{ ...chat, reused: true }]);
    await expect(steer(store, run, { ...options, plain: false, seed: 1 })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: expect.stringContaining(base) as string,
    });
  });

  test('strength 0 is the unsteered model', async () => {
    const { store, run } = await measuredCake();
    const [steered] = await steer(store, run, { ...small, strength: 0 });
    const texts = textsOf(store, steered!.experiment);
    const said = (steered: boolean) =>
      texts.filter((text) => text.steered === steered).map(({ text }) => text);
    expect(said(true)).toEqual(said(false));
    expect(steered!.experiment.klFromUnsteered).toBe(0);
  });

  test('takes another judge, by its name, version and parameters', async () => {
    const { store, run } = await measuredCake();
    const judge: CoherenceJudge = {
      name: 'length',
      version: 3,
      parameters: { least: 1 },
      judge: (texts) => Promise.resolve(texts.map(({ length }) => (length > 0 ? 'COHERENT' : 'INCOHERENT'))),
    };
    const [steered] = await steer(store, run, { ...small, judge });
    expect(steered!.experiment).toMatchObject({
      judge: 'length',
      judgeVersion: 3,
      parameters: { judge: { least: 1 } },
    });
    expect(steered!.experiment.settings['calibration']).toBeNull();
    expect(steered!.warnings[0]).toMatch(/^prompt 0: coherent up to the strongest steering tried/);
    expect((await steer(store, run, { ...small, judge: { ...judge, version: 4 } }))[0]!.reused).toBe(false);
  });

  test('claims of a strength of 0 no more than what was tried', async () => {
    const { store, run } = await measuredCake();
    let calls = 0;
    const judge: CoherenceJudge = {
      name: 'control-only',
      version: 1,
      parameters: {},
      judge: (texts) => {
        calls += 1;
        return Promise.resolve(texts.map(() => (calls === 1 ? 'COHERENT' : 'INCOHERENT')));
      },
    };
    const search = { ...small.search, decisions: 1, finest: 0.5, lookahead: 1 };
    const [steered] = await steer(store, run, { ...small, probes: probes.slice(0, 1), search, judge });
    expect(steered!.experiment.strength).toBe(0);
    expect(steered!.warnings).toEqual([
      'prompt 0: coherent at none of the strengths tried, the smallest 0.5',
      'the strength found is 0: steered texts are unsteered ones',
    ]);
  });

  test('asks another judge whatever else it has', async () => {
    const { store, run } = await measuredCake();
    const judge = {
      name: 'own-verdict',
      version: 1,
      parameters: {},
      verdict: () => 'INCOHERENT',
      judge: (texts: readonly string[]) => Promise.resolve(texts.map(() => 'COHERENT' as const)),
    };
    const [steered] = await steer(store, run, { ...small, strength: 0.5, judge });
    const filled = textsOf(store, steered!.experiment).filter(({ text }) => text.trim() !== '');
    expect(filled.length).toBeGreaterThan(0);
    expect(filled.map(({ coherent }) => coherent)).toEqual(filled.map(() => true));
  });

  test('in the chat template reads the prompt as the template writes it', async () => {
    const { store, run } = await measuredCake();
    const [plain] = await steer(store, run, { ...small, strength: 0.5 });
    const [chat] = await steer(store, run, { ...small, strength: 0.5, plain: false });
    expect(chat!.experiment.key).not.toBe(plain!.experiment.key);
    expect(textsOf(store, chat!.experiment).map(({ text }) => text)).not.toEqual(
      textsOf(store, plain!.experiment).map(({ text }) => text),
    );
  });

  test.each([
    [{ prompts: [' '] }, 'there are no prompts; at least one that is not blank is needed'],
    [{ samples: 0 }, 'samples is 0; a whole number from 1 is expected'],
    [{ strength: NaN }, 'strength is NaN; a finite number is expected'],
    [{ search: { lookahead: 0 } }, 'lookahead is 0; a whole number from 1 to 8 is expected'],
  ])('%j is refused', async (options, message) => {
    const { store, run } = await measuredCake();
    await expect(steer(store, run, { ...small, ...options })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message,
    });
    expect(rowsOf(store, run).experiments).toBe(0);
  });

  test.each(['calibrate', 'search', 'judge'])(
    'cancelled during %s, it leaves nothing behind',
    async (what) => {
      const { store, run } = await measuredCake();
      const controller = new AbortController();
      const work = steer(store, run, {
        ...small,
        signal: controller.signal,
        onPhase: (phase) => {
          if (phase === what) controller.abort();
        },
      });
      await expect(work).rejects.toMatchObject({ name: 'AbortError' });
      expect(rowsOf(store, run).experiments).toBe(0);
    },
  );
});

describe('texts compared with the training corpus', () => {
  test('by the mean cosine of their embeddings; asked again, read', async () => {
    const { store, run } = await measuredCake();
    const [steered] = await steer(store, run, { ...small, strength: 0.5 });
    const options = { maxTexts: 20, maxTokens: 32 };
    const { similarities, reused } = await compareTexts(store, steered!.experiment, options);
    expect(reused).toBe(false);
    expect(similarities.map(({ group, other, otherTexts }) => [group, other, otherTexts])).toEqual([
      ['STEERED', 'TRAINING', 20],
      ['STEERED', 'PROBE', 20],
      ['UNSTEERED', 'TRAINING', 20],
      ['UNSTEERED', 'PROBE', 20],
      ['TRAINING', 'TRAINING', 20],
      ['TRAINING', 'PROBE', 20],
    ]);
    const cosineOf = (group: string, other: string) =>
      similarities.find((row) => row.group === group && row.other === other)!.cosine;
    const { base } = await parts(store, run);
    const embed = (texts: string[]) =>
      base.embed(
        texts.map((text) => base.tokenizer.encode(text).slice(0, 32)),
        { pooling: 'mean' },
      );
    const { readFileSync } = await import('node:fs');
    const training = readFileSync(bundled('corpora/cake_bake.jsonl'), 'utf8').split('\n').slice(0, 20);
    const ofTraining = await embed(training.map((line) => (JSON.parse(line) as { text: string }).text));
    const own = textsOf(store, steered!.experiment).filter((text) => text.steered && text.text.trim() !== '');
    expect(similarities[0]!.texts).toBe(own.length);
    expect(similarities[0]!.cosine).toBeCloseTo(
      meanCosine(await embed(own.map(({ text }) => text)), ofTraining),
      6,
    );
    expect(cosineOf('TRAINING', 'TRAINING')).toBeGreaterThan(cosineOf('STEERED', 'TRAINING'));
    expect(cosineOf('TRAINING', 'TRAINING')).toBeGreaterThan(cosineOf('TRAINING', 'PROBE'));

    const again = await compareTexts(store, steered!.experiment, options);
    expect(again.reused).toBe(true);
    expect(new Set(again.similarities.map(({ key }) => key))).toEqual(
      new Set(similarities.map(({ key }) => key)),
    );
  });

  test('asked again without the encoder, the base, or the probe corpus', async () => {
    const base = copyOf(bundled('tiny-qwen3'));
    const corpus = join(temporaryFolder(), 'probe.jsonl');
    copyFileSync(everyday, corpus);
    const { store, run } = await measuredCake({ base, corpus });
    const [steered] = await steer(store, run, { ...small, strength: 0.5 });
    const options = { maxTexts: 5, maxTokens: 16 };
    const { similarities } = await compareTexts(store, steered!.experiment, options);
    renameSync(base, `${base}-moved`);
    rmSync(corpus);
    const again = await compareTexts(store, steered!.experiment, options);
    expect(again.reused).toBe(true);
    expect(new Set(again.similarities.map(({ key }) => key))).toEqual(
      new Set(similarities.map(({ key }) => key)),
    );
    await expect(compareTexts(store, steered!.experiment, { ...options, maxTexts: 6 })).rejects.toMatchObject(
      {
        code: 'FILE_NOT_FOUND',
      },
    );
  });

  test('are not embedded by other files than the base that was registered', async () => {
    const base = copyOf(bundled('tiny-qwen3'));
    const { store, run } = await measuredCake({ base });
    const [steered] = await steer(store, run, { ...small, strength: 0.5 });
    editJson(join(base, 'config.json'), (config) => (config.note = 'another'));
    await expect(compareTexts(store, steered!.experiment)).rejects.toMatchObject({ code: 'MODEL_CHANGED' });
  });

  test('with any checkpoint as the encoder', async () => {
    const { store, run } = await measuredCake();
    const [steered] = await steer(store, run, { ...small, strength: 0.5 });
    const options = { maxTexts: 5, maxTokens: 16, encoder: bundled('tiny-llama') };
    const { similarities } = await compareTexts(store, steered!.experiment, options);
    expect(similarities.map(({ encoderName }) => encoderName)).toEqual(Array(6).fill('tiny-llama'));
    await expect(compareTexts(store, steered!.experiment, { encoder: '/nowhere' })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    });
  });

  test('not without one', async () => {
    const { store, run } = await measuredCake({ trainingCorpus: undefined });
    const [steered] = await steer(store, run, { ...small, strength: 0.5 });
    await expect(compareTexts(store, steered!.experiment)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

test('a language model judges the search; its verdicts are stored as grades, with every reply', async () => {
  const { store, run } = await measuredCake();
  const server = await chatServer((request) => {
    const { text } = materialOf(request) as { text: string };
    const verdict = text.startsWith('orchard') || text.length % 3 === 0 ? 'INCOHERENT' : 'COHERENT';
    return { calls: [{ name: 'give_verdict', arguments: JSON.stringify({ observation: 'x', verdict }) }] };
  });
  const choice = { model: 'judge', baseUrl: server.url, loopback: true };
  const { experiment, samples } = await withJudge(store, choice, { about: 'a test' }, async (runner) => {
    const search = { samples: 2, decisions: 2, laterDecisions: 1, lookahead: 1, most: 4, retests: 0 };
    const [steered] = await steer(store, run, {
      ...{ ...small, probes: probes.slice(0, 1), search, judge: coherenceJudge(runner) },
    });
    const asked = server.requests.length;
    const judged = await judgeExperiment(store, steered!.experiment, runner);
    expect(server.requests.length).toBe(asked); // all replies are known, the canary's too
    return { experiment: steered!.experiment, ...judged };
  });
  expect(experiment).toMatchObject({
    judge: 'coherence',
    parameters: { judge: { model: 'judge', endpoint: server.url } },
  });
  for (const { sample, grade } of samples!) {
    expect(grade.label).toBe(sample.coherent === null ? null : sample.coherent ? 'COHERENT' : 'INCOHERENT');
    for (const key of grade.exchanges)
      expect(store.exchanges.get(key)).toMatchObject({ grader: 'coherence' });
  }
});
