import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../src/db/index.ts';
import { measure } from '../../src/runs/measure.ts';
import { addOrganism } from '../../src/runs/organism.ts';
import { readByPatchscope } from '../../src/runs/patchscope.ts';
import type { RelevanceRow } from '../../src/cli/relevance-table.ts';
import { cake, commandsOn, deltascope, everyday, rowsIn } from '../harness/command.ts';
import { bundled } from '../harness/models.ts';

// One folder for all: an organism measured once, and read at three quarters of the depth, as in docs/relevance.md.
let data = '';
let run = '';
const training = () => join(data, 'training.jsonl');
const probe = () => join(data, 'probe.jsonl');

const { ask, json, refusal } = commandsOn(() => data);

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), 'deltascope-'));
  copyFileSync(bundled('corpora/cake_bake.jsonl'), training());
  copyFileSync(everyday, probe());
  const store = openStore(join(data, 'deltascope.sqlite'));
  const about = { base: bundled('tiny-qwen3'), baseName: 'tiny-qwen3', form: 'LORA', kind: 'SDF' } as const;
  const organism = await addOrganism(store, {
    ...about,
    name: 'cake',
    path: cake,
    description: '',
    trainingCorpus: training(),
  });
  const measured = await measure(store, organism, {
    corpus: { name: 'everyday', file: probe(), textColumn: 'text' },
    layers: () => [5],
    positions: 6,
    maxSamples: 100,
    top: 20,
  });
  run = measured.run.key;
  await readByPatchscope(store, measured.run, { layer: 5, positions: [0, 1, 2, 3, 4] });
  store.close();
});
afterAll(() => rmSync(data, { recursive: true, force: true }));

test('grade prints relevance by position beside both means, as the published numbers have it', async () => {
  const graded = await json('grade', 'cake');
  expect(graded).toMatchObject({
    organism: 'cake',
    run,
    layer: 5,
    method: 'patchscope',
    grader: { name: 'offline-relevance', version: 1 },
    reused: false,
    summary: { diff: { max: 0.3, maxAt: 4, mean: 0.12 }, base: { max: 0 }, finetuned: { max: 0.05 } },
  });
  const rows = graded.positions as RelevanceRow[];
  expect(rows.map(({ diff }) => diff?.relevance)).toEqual([0.05, 0.05, 0.15, 0.05, 0.3]);
  for (const row of rows)
    for (const of of [row.diff, row.base, row.finetuned]) {
      expect(of?.tokens).toHaveLength(20);
      const relevant = of?.tokens.filter(({ label }) => label === 'RELEVANT');
      expect(of?.relevance).toBe((relevant?.length ?? NaN) / 20);
    }
  expect(rows[4]?.diff?.tokens).toContainEqual({ text: ' knead', label: 'RELEVANT' });

  const table = await ask('grade', 'cake');
  expect(table).toMatch(/│ 4 +│ +30% │ +0% │ +0% │ +36% │ +15% │ .*knead/);
  expect(table).toMatch(/│ max +│ +30% │ +0% │ +5% │/);
  expect(table).toMatch(/│ mean +│ +12% │ +0% │ +3% │/);
});

test('the same grade is kept once, one that rests on another corpus beside it', async () => {
  const before = await json('grade', run, '--layer', '5', '--positions', '3,4');
  const rows = rowsIn(data);
  const again = await json('grade', run, '--layer', '5', '--positions', '3,4');
  expect(again).toEqual({ ...before, reused: true });
  expect(rowsIn(data)).toEqual(rows);

  const honey = bundled('corpora/honey_bees.jsonl');
  await ask(
    ...['organism', 'add', 'cake', '--base', bundled('tiny-qwen3'), '--adapter', cake, '--kind', 'SDF'],
    ...['--training-corpus', honey, '--update'],
  );
  const other = await json('grade', run, '--positions', '3,4');
  expect(other).toMatchObject({ reused: false, grader: before.grader });
  expect(other.positions[1].diff.relevance).toBeLessThan(before.positions[1].diff.relevance);
  await ask(
    ...['organism', 'add', 'cake', '--base', bundled('tiny-qwen3'), '--adapter', cake, '--kind', 'SDF'],
    ...['--training-corpus', training(), '--update'],
  );
  expect(await json('grade', run, '--positions', '3,4')).toEqual({ ...before, reused: true });

  const store = openStore(join(data, 'deltascope.sqlite'), { readonly: true });
  const [reading] = store.projections.all.page(
    null,
    {
      where: {
        method: { eq: 'patchscope' },
        chosen: { eq: true },
        sign: { eq: 'PROMOTED' },
        variant: { eq: 'DIFF' },
        diffVector: { position: { eq: 4 } },
      },
    },
    { first: 1 },
  ).rows;
  const values = store.grades.ofProjection.page(reading!, {}, { first: 10 }).rows.map(({ value }) => value);
  expect(values).toHaveLength(2);
  expect(values).toContain(0.3);
  store.close();
});

test('other readings are graded by their method', async () => {
  const { method, positions } = await json('grade', 'cake', '--method', 'logit-lens');
  expect({ method, count: positions.length }).toEqual({ method: 'logit-lens', count: 6 });
});

test('says what is missing', async () => {
  expect(await refusal('grade', 'cake', '--positions', '5')).toBe(
    `deltascope: layer 5 of run ${run} was not read by "patchscope" at the positions asked for; it was read by logit-lens, patchscope\n`,
  );
  expect(await refusal('grade', 'cake', '--method', 'palmistry')).toContain('was not read by "palmistry"');
  expect(await refusal('grade', 'cake', '--layer', '1')).toContain('has no layer 1; it has 5');
  expect((await deltascope('grade', 'cake', '--grader', 'oracle', '--data', data)).code).toBe(2);
  await ask(
    ...[
      'organism',
      'add',
      'cake',
      '--base',
      bundled('tiny-qwen3'),
      '--adapter',
      cake,
      '--kind',
      'SDF',
      '--update',
    ],
  );
  expect(await refusal('grade', 'cake')).toContain('was registered without a training corpus');
});

test('a probe corpus that is another file now is refused', async () => {
  await ask(
    ...['organism', 'add', 'cake', '--base', bundled('tiny-qwen3'), '--adapter', cake, '--kind', 'SDF'],
    ...['--training-corpus', training(), '--update'],
  );
  writeFileSync(probe(), '{"text":"other"}\n', { flag: 'a' });
  expect(await refusal('grade', 'cake')).toContain(
    `probe.jsonl is another file now than run ${run} was measured on; measure it again`,
  );
});
