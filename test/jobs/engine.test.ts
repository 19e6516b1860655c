import { expect, test } from 'vitest';
import { startJob } from '../../src/jobs/index.ts';
import { ended, noRoots, smallRun, storeWithCake, superviseInTest, until } from '../harness/jobs.ts';

test('jobs of every kind run in an engine, and what they made is named', async () => {
  const { store, file } = await storeWithCake();
  superviseInTest(store, file);
  const run = await ended(store, startJob(store, noRoots, 'run', smallRun));
  expect(run).toMatchObject({ state: 'COMPLETED', attempts: 1, errorCode: null });
  const { run: key } = run.result as { run: string };
  expect(store.runs.get(key)).toMatchObject({ positions: 3, samples: 40 });
  const vector = `${key}.L3.P1`;

  const jobs = [
    startJob(store, noRoots, 'projection', { run: key, positions: [1] }),
    startJob(store, noRoots, 'divergence', { run: key, maxTexts: 4 }),
    startJob(store, noRoots, 'components', { run: key, positions: [1] }),
    startJob(store, noRoots, 'causal', {
      run: key,
      positions: [1],
      corpus: 'everyday',
      maxTexts: 4,
      maxTokens: 16,
      afterK: 4,
      random: 2,
      randomDifferences: 2,
    }),
    startJob(store, noRoots, 'steering', {
      run: key,
      positions: [1],
      prompts: ['How are you?'],
      samples: 1,
      tokens: 8,
      strength: 1,
    }),
  ];
  const results: unknown[] = [];
  for (const job of jobs) results.push((await ended(store, job)).result);
  expect(results).toEqual([
    { run: key, layer: `${key}.L3`, diffVectors: [vector], warnings: [] },
    { run: key, warnings: [] },
    { run: key, layer: `${key}.L3`, diffVectors: [vector], warnings: [] },
    { run: key, layer: `${key}.L3`, diffVectors: [vector], warnings: [] },
    {
      run: key,
      diffVectors: [vector],
      experiments: [expect.stringMatching(`^${vector}\\.steering\\.`)],
      warnings: expect.any(Array),
    },
  ]);
  const events = store.jobs.events(run, 0, 1000);
  expect(events.map(({ number }) => number)).toEqual(events.map((_, i) => i + 1));
  expect([events[0]?.state, events[1]?.state, events.at(-1)?.state]).toEqual([
    'QUEUED',
    'RUNNING',
    'COMPLETED',
  ]);
  expect(events.map(({ phase }) => phase)).toContain('forward');
  expect(store.jobs.count('COMPLETED')).toBe(6);
}, 120_000);

test('a job that cannot be done ends once, with a code and without a path', async () => {
  const { store, file } = await storeWithCake();
  superviseInTest(store, file);
  const spec = { ...smallRun, positions: 1_000 };
  const job = await ended(store, startJob(store, noRoots, 'run', spec));
  expect(job).toMatchObject({
    state: 'ERROR',
    attempts: 1,
    errorCode: 'CORPUS_UNUSABLE',
    errorMessage:
      'everyday.jsonl: no usable text in 4000 rows: 0 empty, 4000 with fewer than 1000 tokens; give longer texts or ask for fewer positions',
  });
  const again = startJob(store, noRoots, 'run', spec);
  expect(again).toMatchObject({ key: job.key, state: 'QUEUED', attempts: 0, errorCode: null });
  expect((await ended(store, again)).state).toBe('ERROR');
});

test('a running job is cancelled within moments', async () => {
  const { store, file } = await storeWithCake();
  superviseInTest(store, file);
  const job = startJob(store, noRoots, 'run', {
    ...smallRun,
    layers: 'all',
    positions: 60,
    maxSamples: 4000,
  });
  await until(() => store.jobs.get(job.key).phase === 'forward', 'the measurement is under way');
  const asked = performance.now();
  store.jobs.cancel(job.key);
  expect(await ended(store, job)).toMatchObject({ state: 'CANCELLED', result: null });
  expect(performance.now() - asked).toBeLessThan(3000);
  expect(store.runs.all.count(null, {})).toBe(0);
});
