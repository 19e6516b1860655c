import { expect, test } from 'vitest';
import { agreementOfGraders } from '../../src/runs/agreement.ts';
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
});
