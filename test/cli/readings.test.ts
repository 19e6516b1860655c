import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../src/db/index.ts';
import { measure } from '../../src/runs/measure.ts';
import { addOrganism } from '../../src/runs/organism.ts';
import { cake, commandsOn, deltascope, everyday, rowsIn } from '../harness/command.ts';
import { bundled } from '../harness/models.ts';

// One folder for all: two organisms of one base, measured once.
let data = '';

const { ask, json, refusal } = commandsOn(() => data);

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), 'deltascope-'));
  const store = openStore(join(data, 'deltascope.sqlite'));
  for (const [name, path] of [
    ['cake', cake],
    ['mixed', bundled('tiny-qwen3--cake_bake-mix2')],
  ] as const) {
    const organism = await addOrganism(store, {
      name,
      base: bundled('tiny-qwen3'),
      baseName: 'tiny-qwen3',
      path,
      form: 'LORA',
      kind: 'SDF',
      description: '',
      trainingCorpus: bundled('corpora/cake_bake.jsonl'),
    });
    await measure(store, organism, {
      corpus: { name: 'everyday', file: everyday, textColumn: 'text' },
      layers: () => [3],
      positions: 3,
      maxSamples: 40,
      top: 10,
    });
  }
  store.close();
});
afterAll(() => rmSync(data, { recursive: true, force: true }));

test('patchscope prints the chosen scale of each position, show any other', async () => {
  const read = await json('patchscope', 'cake', '--positions', '0,2', '--top', '5');
  expect(read).toMatchObject({ method: 'patchscope', variant: 'DIFF', sign: 'PROMOTED', reused: false });
  expect(read.layers).toHaveLength(1);
  expect(read.layers[0].positions.map(({ position }: { position: number }) => position)).toEqual([0, 2]);
  for (const { scale, tokens } of read.layers[0].positions) {
    expect(scale).toBeGreaterThan(0);
    expect(tokens).toHaveLength(5);
  }
  const rows = rowsIn(data);
  const table = await ask('patchscope', 'cake', '--positions', '0,2', '--top', '5');
  expect(rowsIn(data)).toEqual(rows);
  expect(table).toContain('promoted tokens of the diff vectors by patchscope');
  for (const { position, scale } of read.layers[0].positions)
    expect(table).toMatch(new RegExp(`│ +${position} │ +[0-9.]+ │ +${scale} │`));
  const down = await json('patchscope', 'cake', '--positions', '0,2', '--top', '5', '--suppressed');
  expect(down).toMatchObject({ sign: 'SUPPRESSED', reused: true });
  const shown = await json('show', 'cake', '--method', 'patchscope', '--scale', '20', '--top', '5');
  expect(shown.layers[0].positions.map(({ scale }: { scale: number }) => scale)).toEqual([20, 20]);
});

const small = ['--plain', '--max-prompts', '2', '--samples', '2', '--tokens', '10', '--temperature', '0.8'];
const quick = [
  '--search-most',
  '2',
  '--search-steps',
  '2',
  '--search-samples',
  '3',
  '--search-tokens',
  '24',
  '--search-temperature',
  '0.8',
];

test('steer finds a strength and keeps the texts; compare --texts reads them', async () => {
  const steered = await json('steer', 'cake', '--prompts', 'open', ...small, ...quick);
  expect(steered.experiments).toHaveLength(1);
  const [experiment] = steered.experiments;
  expect(experiment).toMatchObject({
    position: 1,
    judge: 'surprise-and-repetition',
    reused: false,
    mode: 'EXACT',
  });
  expect(experiment.samples).toHaveLength(2 * 2 * 2);
  expect(experiment.samples[0]).toMatchObject({ prompt: 'Tell me a story.', steered: false, strength: 0 });

  const rows = rowsIn(data);
  const told = await ask('steer', 'cake', '--prompts', 'open', ...small, ...quick);
  expect(rowsIn(data)).toEqual(rows);
  expect(told).toContain(experiment.key);
  expect(told).toContain('Tell me a story.\n  unsteered: ');

  const prompts = join(data, 'prompts.txt');
  writeFileSync(prompts, 'Once upon a time\r\n\r\n');
  const given = await json('steer', 'cake', '--prompts', prompts, '--strength', '0.5', ...small);
  expect(given.experiments[0]).toMatchObject({ strength: 0.5, thresholds: [] });
  expect(new Set(given.experiments[0].samples.map(({ prompt }: { prompt: string }) => prompt))).toEqual(
    new Set(['Once upon a time']),
  );

  const [compared] = await json('compare', 'cake', '--texts', '--positions', '1');
  expect(
    compared.similarities.map(({ group, other }: { group: string; other: string }) => `${group} ${other}`),
  ).toEqual([
    'STEERED TRAINING',
    'STEERED PROBE',
    'UNSTEERED TRAINING',
    'UNSTEERED PROBE',
    'TRAINING TRAINING',
    'TRAINING PROBE',
  ]);
  expect(await ask('compare', 'cake', '--texts', '--positions', '1')).toContain('cake L3 P1');
});

test('causal prints the losses of each position’s predictions, and changes beside their controls', async () => {
  const options = [
    '--positions',
    '1,2',
    '--texts',
    '4',
    '--tokens',
    '30',
    '--random',
    '2',
    '--differences',
    '2',
  ];
  const { effects, reused } = await json('causal', 'cake', ...options);
  expect(reused).toBe(false);
  expect(effects).toHaveLength(2 * 4 * 3 * 3);
  expect((await json('causal', 'cake', ...options)).reused).toBe(true);
  const table = await ask('causal', 'cake', ...options);
  expect(table).toContain('finetuned, component of the base');
  expect(table.match(/ ± /g)).toHaveLength(16);
  for (const position of [1, 2]) {
    const { count, baseLoss, finetunedLoss } = effects.find(
      (effect: { position: number; subset: string }) =>
        effect.position === position && effect.subset === 'EXCLUDE_POSITION',
    );
    const cells = [position, count, ...[baseLoss, finetunedLoss].map((loss) => Number(loss.toPrecision(4)))];
    expect(table).toMatch(new RegExp(cells.map((cell) => `│ +${cell} `).join('')));
  }
  const losses = new Set(
    effects.flatMap(({ subset, baseLoss }: { subset: string; baseLoss: number }) =>
      subset === 'EXCLUDE_POSITION' ? [baseLoss] : [],
    ),
  );
  expect(losses.size).toBe(2);
});

test('compare gives cosines of two organisms, of two vectors, and the nearest', async () => {
  const pairs = await json('compare', 'cake', 'mixed');
  expect(pairs.map(({ diff, other }: { diff: string; other: string }) => [diff, other])).toEqual(
    [0, 1, 2].map((position) => [`cake L3 P${position}`, `mixed L3 P${position}`]),
  );
  const [{ diffKey, otherKey, cosine }] = pairs;
  expect(await json('compare', diffKey, otherKey)).toEqual([pairs[0]]);
  expect(await json('compare', otherKey, diffKey)).toMatchObject([{ cosine }]);
  const [self] = await json('compare', diffKey, diffKey);
  expect(self.cosine).toBeCloseTo(1, 12);
  const nearest = await json('compare', 'cake', '--positions', '0', '--nearest', '2');
  expect(nearest).toHaveLength(2);
  expect(nearest[0].cosine).toBeGreaterThanOrEqual(nearest[1].cosine);
  expect(nearest[0].other).toMatch(/^mixed L3 P\d$/);
});

test('kl and pca by position', async () => {
  const kl = await json('kl', 'cake');
  expect(
    kl.positions.map(({ position, count }: { position: number; count: number }) => [position, count]),
  ).toEqual([
    [0, 40],
    [1, 40],
    [2, 40],
  ]);
  expect(await ask('kl', 'cake')).toContain('KL(finetuned ‖ base)');
  expect((await json('kl', 'cake')).reused).toBe(true);
  const pca = await json('pca', 'cake', '--positions', '1-2', '--components', '3');
  expect(pca.positions.map(({ explained }: { explained: number[] }) => explained.length)).toEqual([3, 3]);
  expect(await ask('pca', 'cake', '--positions', '1-2', '--components', '3')).toContain(
    'participation ratio',
  );
});

describe('in one line is said', () => {
  test.each([
    [['patchscope', 'bread'], 'no organism and no run "bread"; registered are cake, mixed'],
    [
      ['patchscope', 'cake', '--positions', '9'],
      /^layer 3 of run [0-9a-f]{20} has no position 9; it has 0 to 2$/,
    ],
    [['steer', 'cake', '--layer', '4'], /^run [0-9a-f]{20} has no layer 4; it has 3$/],
    [
      ['steer', 'cake', '--prompts', 'nothing.txt'],
      /^prompts nothing\.txt: .*; name a file with one prompt a line, or one of our lists: constrained, open$/,
    ],
    [
      ['compare', 'mixed', '--texts'],
      '"mixed" was not steered yet there; steer it with deltascope steer mixed',
    ],
    [
      ['compare', 'cake', 'mixed', '--texts'],
      'with --texts one organism or run is compared, with its own training corpus',
    ],
    [
      ['causal', 'cake', '--corpus', '/nowhere.jsonl'],
      /^\/nowhere\.jsonl: .*; a corpus is a file of JSON lines$/,
    ],
  ])('what is wrong with %j', async (args, line) => {
    const stderr = await refusal(...args);
    expect(stderr.startsWith('deltascope: ') && stderr.endsWith('\n')).toBe(true);
    const said = stderr.slice('deltascope: '.length, -1);
    if (typeof line === 'string') expect(said).toBe(line);
    else expect(said).toMatch(line);
  });

  test.each([
    [
      ['patchscope', 'cake', '--positions', '3-1'],
      'Expected are positions from 0 and ranges of them, like 0-4,7.',
    ],
    [['steer', 'cake', '--strength', 'much'], 'A number from 0 is expected.'],
  ])('how %j is asked wrongly', async (args, what) => {
    const { code, stderr } = await deltascope(...args, '--data', data);
    expect(code).toBe(2);
    expect(stderr).toContain(what);
  });
});

test('diff --patchscope reads the run at once', async () => {
  const options = ['--corpus', everyday, '--samples', '20', '--positions', '2', '--layers', '0,3'];
  await ask('diff', 'mixed', ...options, '--patchscope');
  const shown = await json('show', 'mixed', '--method', 'patchscope', '--top', '3');
  expect(shown.layers.map(({ layer }: { layer: number }) => layer)).toEqual([0, 3]);
  expect(shown.layers[1].positions).toHaveLength(2);
});
