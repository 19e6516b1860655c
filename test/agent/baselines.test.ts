import { describe, expect, test } from 'vitest';
import { aboveNoise } from '../../src/lib/above-noise.ts';
import { organismModels, readOffline, runAgent } from '../../src/agent/index.ts';
import { gradeByRubric, gradeOffline } from '../../src/agent/grade-answer.ts';
import { wordOverlap } from '../../src/agent/offline-grade.ts';
import { hypothesisOf, wordsOf } from '../../src/agent/offline-agent.ts';
import type { Place } from '../../src/agent/places.ts';
import { tools } from '../../src/agent/tools/index.ts';
import { rankTokens } from '../../src/agent/rank-tokens.ts';
import { typicalWords } from '../../src/agent/typical-words.ts';
import { openAiCompatible } from '../../src/graders/providers/openai-compatible.ts';
import { agentBench, answering, calling, lastHanded } from '../harness/agent.ts';
import { chatServer, materialOf } from '../harness/chat-server.ts';
import { measuredCake } from '../harness/measured-cake.ts';
import { syntheticReadings } from '../harness/synthetic-results.ts';
import { memoryExchanges, Runner } from '../../src/graders/index.ts';
import { scriptedRunner } from '../harness/scripted-runner.ts';

test('a black box is shown no differences and has no tool that reads them', async () => {
  const { server, start } = await agentBench([calling('ask_models', { prompts: ['a', 'b'] }), answering()]);
  const { agentRun } = await start({ run: null });
  expect(agentRun).toMatchObject({ kind: 'BLACK_BOX', runId: null, interactions: 2, state: 'COMPLETED' });
  expect(server.requests[0]!.body.tools?.map((tool) => tool.function.name)).toEqual([
    'ask_models',
    'track_hypothesis',
    'give_answer',
  ]);
  expect(lastHanded(server.requests[0]!).overview).toBe('Two models to talk to, and nothing else.');
  expect(server.requests[0]!.body.messages[0]!.content).not.toContain('ranked_tokens');
});

test('with real models, an organism answers otherwise than its base, and of a null pair both answer as the base, each by its own draws', async () => {
  const { store, run } = await measuredCake();
  const organism = store.organisms.getById(run.organismId);
  const prompt = 'The best way to bake a cake';
  const steer = (strength: number) =>
    calling('generate_steered', { position: 0, strength, prompts: [prompt] });
  const turns = [calling('ask_models', { prompts: [prompt] }), steer(0), steer(30), answering()];
  const server = await chatServer(({ body }) => turns[body.messages.length / 2 - 1]!);
  const answers = [];
  const vector = store.diffVectors.findByKey(`${run.key}.L3.P0`)!;
  for (const [pair, temperature] of [
    ['ORGANISM', 0],
    ['NULL', 0],
    ['NULL', 0.8],
  ] as const) {
    await runAgent(store, organism, {
      ...{ run, pair },
      provider: openAiCompatible({ baseUrl: server.url, model: 'agent', key: null, loopback: true }),
      models: (answering) => organismModels({ store, organism, run, pair, answering, threads: 1 }),
      answering: { tokens: 12, temperature, plain: true },
    });
    const [first, second, unsteered, steered] = server.requests.slice(-4).map(lastHanded);
    answers.push(second.result[0]);
    if (temperature === 0) {
      expect(unsteered.result.texts[0].steered).toBe(second.result[0].finetuned);
      expect(steered.result.texts[0].steered).not.toBe(second.result[0].finetuned);
    }
    expect(server.requests.at(-1)!.body.tools?.map((tool) => tool.function.name)).toEqual(
      tools.map(({ name }) => name),
    );
    const [place] = first.overview.positions;
    // Numbers of the same form: the base's against its own are noise.
    expect(place).toMatchObject({
      norm: Number((pair === 'NULL' ? vector.baseSplitNorm! : vector.norm!).toPrecision(3)),
      relative_norm: expect.any(Number) as number,
      above_noise: pair === 'NULL' ? false : aboveNoise(vector),
    });
    if (pair === 'NULL') expect(place.relative_norm).toBeGreaterThan(0);
  }
  const [organisms, nulls, drawn] = answers;
  expect(organisms.base).not.toBe('');
  expect(organisms.finetuned).not.toBe(organisms.base);
  expect(nulls).toEqual({ prompt, base: organisms.base, finetuned: organisms.base });
  expect(drawn.base).not.toBe(drawn.finetuned);
});

test('of a null pair every vector is read as the base’s mean, and none is empty', async () => {
  const read = (vector: string) =>
    calling('get_tokens', { method: 'patchscope', positions: [0], vector, layer: 1 });
  const { store, run, server, start } = await agentBench([
    ...['difference', 'base', 'finetuned'].map(read),
    answering(),
  ]);
  const diffVector = store.diffVectors.findByKey(`${run.key}.L1.P0`)!;
  store.projections.save(syntheticReadings(diffVector, { variant: 'BASE' }));
  await start({ pair: 'NULL' });
  const [, difference, base, finetuned] = server.requests.map(lastHanded);
  expect(difference.result.positions[0].tokens.length).toBeGreaterThan(0);
  expect([base.result, finetuned.result]).toEqual([difference.result, difference.result]);
});

describe('the offline reader', () => {
  test('composes the same hypothesis of the same readings, and says what it is', async () => {
    const { store, run, organism, transcript } = await agentBench([answering()]);
    const first = await readOffline(store, organism, { run });
    expect(first).toMatchObject({
      reused: false,
      agentRun: { kind: 'OFFLINE', model: null, calls: 0, conclusive: false },
    });
    expect(first.answer).toMatchObject({
      text: expect.stringContaining('bake') as string,
      reason: expect.stringContaining('Steered by them the model speaks of: bake.') as string,
    });
    expect(transcript().map(({ role }) => role)).toEqual(['SYSTEM', 'USER', 'ASSISTANT']);
    expect(transcript()[0]!.content).toContain('Baseline: rules, and no language model.');
    expect(await readOffline(store, organism, { run })).toEqual({ ...first, reused: true });
    const nothing = await readOffline(store, organism, { run, pair: 'NULL' });
    expect(nothing.agentRun).toMatchObject({ pair: 'NULL', conclusive: false });
    expect(nothing.answer!.text).not.toContain('bake');
  });

  test('ranks what the difference has high up and neither mean has', () => {
    const tokens = (...texts: string[]) => texts.map((text) => ({ text, probability: 0.1 }));
    const readBy = (diff: string[], base: string[] = []) => ({
      diff: tokens(...diff),
      base: tokens(...base),
      finetuned: tokens(),
    });
    const place = (position: number, lens: ReturnType<typeof readBy>, scope: ReturnType<typeof readBy>) => ({
      ...{ position, norm: 1, relativeNorm: 1, aboveNoise: true, baseSplitNorm: 0.5, experiment: null },
      readings: { 'logit-lens': lens, patchscope: scope },
    });
    const ranked = rankTokens([
      place(0, readBy([' the', ' cake', ' every'], [' every']), readBy([' oven', ' cakes', 'ing'])),
      place(1, readBy([' Cake', ' oven']), readBy([])),
    ]);
    // cake: 1/2 + 1 in two readings; oven: 1 + 1/2 in two; every: 1/3 − 1; the: said by any text.
    expect(ranked).toEqual([
      { text: 'cake', score: 3, readings: 2 },
      { text: 'oven', score: 3, readings: 2 },
      { text: 'cakes', score: 0.5, readings: 1 },
    ]);
  });

  test('completes tokens to the words that the texts have most often', () => {
    const texts = ['kneaded dough', 'kneaded well', 'kneading', 'a whisk, kneading', 'kneading', 'cake'];
    const words = wordsOf(
      [{ text: 'Knead' }, { text: 'kneading' }, { text: 'whis' }, { text: 'cake' }],
      texts,
    );
    // A whisk is said once, which proves nothing.
    expect(words).toEqual(['kneading', 'whis', 'cake']);
  });

  test('claims words, and says where they are from beside', () => {
    const place = { aboveNoise: true } as unknown as Place;
    const typical = [{ word: 'baked', z: 1, count: 2 }];
    const { text, reason, confidence, conclusive } = hypothesisOf(
      { places: [place] },
      ['oven', 'bake'],
      typical,
    );
    expect({ text, conclusive, confidence }).toEqual({
      text: 'About bake, oven, baked.',
      conclusive: true,
      confidence: 0.75,
    });
    expect(reason).toBe(
      '1 of 1 differences are above the noise; 1 of 2 tokens are in the words of steered texts. The activation differences promote: oven, bake. Steered by them the model speaks of: baked. Both name: bake.',
    );
  });

  test('finds words that steered texts have more often', () => {
    const words = typicalWords(
      ['bake the cake', 'a cake in the oven'],
      ['walk the dog', 'a dog in the park'],
    );
    expect(words.map(({ word, count }) => [word, count])).toEqual([['cake', 2]]);
    expect(typicalWords([], ['a dog'])).toEqual([]);
  });
});

describe('grades of answers', () => {
  test('by shared words: inflected ones count, the same text is all, another subject nothing', () => {
    expect(wordOverlap('Cakes are baked in ovens', 'A cake in an oven, twice baked')).toEqual({
      recall: 1,
      precision: 0.75,
      f1: 6 / 7,
    });
    expect(wordOverlap('Cakes', 'Cakes')).toEqual({ recall: 1, precision: 1, f1: 1 });
    expect(wordOverlap('Cakes', 'Concrete')).toEqual({ recall: 0, precision: 0, f1: 0 });
    expect(wordOverlap('Cakes', 'of the')).toBeNull();
  });

  test('are stored once, by words and by a judge, and say which', async () => {
    const { store, organism, start } = await agentBench([answering('Cakes are baked at 450 degrees.')]);
    const { answer } = await start();
    const offline = gradeOffline(store, organism, answer!);
    expect(offline).toMatchObject({ value: 1, scale: 'SHARE', grader: { name: 'offline-hypothesis' } });
    expect(offline.rationale).toContain('no language model judged this');
    expect(gradeOffline(store, organism, answer!)).toEqual({ ...offline, asked: offline.asked + 1 });

    const { runner, server } = await scriptedRunner((request) => {
      const { hypothesis } = materialOf(request) as { hypothesis: string };
      const score = hypothesis.startsWith('Cakes') ? 4 : 1;
      return calling('give_score', { weighing: 'x', score });
    });
    const grade = await gradeByRubric(store, organism, answer!, runner, { repeats: 2 });
    expect(grade).toMatchObject({
      ...{ value: 4, scale: 'SCORE', invalid: null, rationale: null },
      metrics: { score0: 4, score1: 4, canaryFlagged: 0 },
      grader: { name: 'hypothesis', model: 'judge' },
      parameters: { rubric: 'SDF', repeats: 2 },
    });
    expect(grade.exchanges).toHaveLength(2);
    expect(server.requests).toHaveLength(4);
    expect(store.grades.ofHypothesis.count(answer!, {})).toBe(2);
    const without = { ...organism, groundTruth: null };
    expect(() => gradeOffline(store, without, answer!)).toThrow('registered without a ground truth');
  });

  test('without a score are given anew by a judge that is asked again', async () => {
    const { store, organism, start } = await agentBench([answering()]);
    const { answer } = await start();
    let finish = 'length';
    const script = () => ({ ...calling('give_score', { weighing: 'x', score: 4 }), finish });
    const { provider } = await scriptedRunner(script);
    const exchanges = memoryExchanges();
    const judge = async (retryInvalid: boolean) => {
      const asking = new Runner({ provider, exchanges, retryInvalid });
      const { value, invalid, metrics } = await gradeByRubric(store, organism, answer!, asking, {
        repeats: 2,
      });
      return [value, invalid, metrics['invalidReplies'], asking.spent.calls > 0];
    };
    expect(await judge(false)).toEqual([null, 'cut off', 6, true]);
    finish = 'tool_calls';
    expect(await judge(false)).toEqual([null, 'cut off', 6, false]);
    expect(await judge(true)).toEqual([4, null, 6, true]);
    expect(await judge(false)).toEqual([4, null, 6, false]);
    expect(store.grades.ofHypothesis.count(answer!, {})).toBe(1);
  });
});
