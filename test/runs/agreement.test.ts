import { expect, test } from 'vitest';
import { agreementOfGraders } from '../../src/runs/agreement.ts';
import { syntheticAgentSpec } from '../harness/synthetic-agent.ts';
import { syntheticGrade, syntheticGrader } from '../harness/synthetic-grades.ts';
import { seedResults, seedVector } from '../harness/synthetic-results.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const judge = (model: string) =>
  syntheticGrader({
    name: 'token-relevance',
    promptDigest: 'p',
    provider: 'openai-compatible',
    endpoint: 'https://models.example/v1',
    model,
  });

test('takes the last grade of each thing by each grader, and the judge of a search as one of them', () => {
  const store = temporaryStore();
  const vector = seedVector(store);
  const experiment = seedResults(store, vector);
  const readings = store.projections.ofDiffVector.page(vector, { method: 'patchscope' }, { first: 10 }).rows;
  const [offline, llm] = [store.graders.add(syntheticGrader()), store.graders.add(judge('a'))];
  const [yes, no] = ['RELEVANT', 'IRRELEVANT'];
  const grade = (i: number, who: typeof llm, labels: (string | null)[], parameters = {}) =>
    syntheticGrade(readings[i]!, who, {
      tokenLabels: labels,
      value: labels.filter((one) => one === yes).length / 2,
      parameters,
    });
  store.grades.save([
    grade(0, offline, [yes, no]),
    grade(1, offline, [yes, yes]),
    grade(2, offline, [no, 'UNKNOWN']),
    grade(0, llm, [no, yes], { agreement: 'MAJORITY' }),
    grade(0, llm, [yes, no], { agreement: 'ALL' }), // the last one counts
    grade(1, llm, [yes, no]),
    syntheticGrade(readings[2]!, llm, { value: null, invalid: '2 verdicts', tokenLabels: null }),
  ]);
  const coherence = store.graders.add({ ...judge('a'), name: 'coherence' });
  const samples = store.samples.ofExperiment.page(experiment, {}, { first: 100 }).rows;
  store.grades.save(
    samples.map((sample) => ({
      ...syntheticGrade(readings[0]!, coherence, {
        tokenLabels: null,
        scale: 'LABEL',
        value: null,
        label: 'COHERENT',
      }),
      subject: { sample },
    })),
  );

  const { tokens, shares, texts } = agreementOfGraders(store);
  // Of two readings both graded four tokens, and agree about three; by chance (¾ · ½ + ¼ · ½) they would about half.
  expect(tokens.pairs).toMatchObject([
    { raters: [offline.key, llm.key].sort(), kappa: { value: 0.5, items: 4, subjects: 2 } },
  ]);
  expect(shares).toMatchObject({ pairs: [], alpha: { items: 2 } });
  expect(texts.raters).toEqual([coherence.key, 'fluency, version 1']);
  expect(texts.alpha).toMatchObject({ items: 4, subjects: 4 }); // the judge had verdicts on the steered ones
  expect(agreementOfGraders(store, store.organisms.get('tiny-cake')).tokens).toEqual(tokens);

  const first = store.grades.find(grade(0, llm, [], { agreement: 'MAJORITY' }))!;
  store.grades.askedAgain([first]);
  expect(agreementOfGraders(store).tokens.pairs[0]).toMatchObject({ kappa: { value: -0.5, items: 4 } });
});

test('scores of answers agree by their order, and are none of the shares', () => {
  const store = temporaryStore();
  seedVector(store);
  const organism = store.organisms.get('tiny-cake');
  const answers = [0, 1, 2].map((repeat) =>
    store.hypotheses.add(
      store.agentRuns.begin(
        syntheticAgentSpec(organism, null, { kind: 'BLACK_BOX', parameters: { repeat } }),
      ),
      { text: `Answer ${repeat}`, confidence: 0.5, reason: '' },
      'FINAL',
    ),
  );
  const rules = store.graders.add(syntheticGrader({ name: 'offline-hypothesis', parameters: {} }));
  const judges = ['a', 'b'].map((model) => store.graders.add({ ...judge(model), name: 'hypothesis' }));
  const scored = [
    [1, 3, 5],
    [1, 4, 5],
  ];
  store.grades.save(
    answers.flatMap((hypothesis, i) => {
      const of = { subject: { hypothesis }, tokenLabels: null };
      return [
        { ...syntheticGrade({} as never, rules, { value: i / 2 }), ...of },
        ...judges.map((who, j) => ({
          ...syntheticGrade({} as never, who, { scale: 'SCORE' as const, value: scored[j]![i]! }),
          ...of,
        })),
      ];
    }),
  );
  const { scores, shares } = agreementOfGraders(store);
  expect(shares.raters).toEqual([]);
  expect(scores.raters).toEqual(judges.map(({ key }) => key).sort());
  expect(scores.alpha).toMatchObject({ items: 3, subjects: 3 });
  expect(scores.alpha.value).toBeCloseTo(94 / 99, 12); // 1 − 2 / 39.6: of six values, 3 and 4 lie one apart
});
