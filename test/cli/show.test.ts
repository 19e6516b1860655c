import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openStore } from '../../src/db/index.ts';
import { deltascope } from '../harness/command.ts';
import { syntheticReadings } from '../harness/synthetic-results.ts';
import { seedOrganism, syntheticRun } from '../harness/synthetic-run.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

/** A data folder with a run of three positions: the first above the noise, the second not, the third unknown; read at scales, too. */
function measured(): { data: string; run: string } {
  const data = temporaryFolder();
  const store = openStore(join(data, 'deltascope.sqlite'));
  const { organism, corpus } = seedOrganism(store);
  const record = syntheticRun({ organismId: organism.id, corpusId: corpus.id }, { tokens: 2 });
  for (const { vectors } of record.layers) {
    Object.assign(vectors[0]!, { swapNormMean: 0.5, swapNormDeviation: 0.125 });
    Object.assign(vectors[1]!, { swapNormMean: 2.5, swapNormDeviation: 0.125 });
  }
  const run = store.runs.save(record);
  const at = (place: string) => store.diffVectors.findByKey(`${run.key}.${place}`)!;
  store.projections.save([
    ...syntheticReadings(at('L2.P0')),
    ...syntheticReadings(at('L2.P1')).map((reading) => ({ ...reading, chosen: reading.scale === 20 })),
    ...syntheticReadings(at('L2.P1'), { mode: 'COMPAT', parameters: {} }),
  ]);
  store.close();
  return { data, run: run.key };
}

test('show marks what is not above the noise, and says by which rule', async () => {
  const { data, run } = measured();
  const { code, stdout, stderr } = await deltascope('show', 'tiny-cake', '--layer', '1', '--data', data);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.replaceAll(run, '<run>').split('\n').slice(4).join('\n')).toMatchInlineSnapshot(`
    "
    layer 1
    ┌──────┬──────────┬────────────────────────────────────────────────────────────────────────────────────────────────────┐
    │  pos │ ‖vector‖ │ tokens, most likely first (probability in %)                                                       │
    ├──────┼──────────┼────────────────────────────────────────────────────────────────────────────────────────────────────┤
    │    0 │    2.366 │ ␣token0 50.0  ␣token1 25.0                                                                         │
    │   1~ │    2.614 │ ␣token0 50.0  ␣token1 25.0                                                                         │
    │    2 │    2.962 │ ␣token0 50.0  ␣token1 25.0                                                                         │
    └──────┴──────────┴────────────────────────────────────────────────────────────────────────────────────────────────────┘

    ~ the diff there is not above the noise, which asks for norm > swapNormMean + 5 · swapNormDeviation: longer than the means that come out when base and finetuned are swapped at random, text by text
    "
  `);
  const json = await deltascope('show', run, '--json', '--data', data);
  expect(JSON.parse(json.stdout)).toMatchObject({
    layers: [1, 2].map((layer) => ({
      layer,
      positions: [true, false, null].map((aboveNoise, position) => ({
        position,
        aboveNoise,
        scale: null,
        mode: 'EXACT',
      })),
    })),
  });
});

test('show gives the chosen scale of a method that has scales, or another one', async () => {
  const { data, run } = measured();
  const show = (...more: string[]) =>
    deltascope('show', run, '--method', 'patchscope', '--data', data, ...more);
  const table = await show();
  expect(table).toMatchObject({ code: 0, stderr: '' });
  expect(table.stdout.replaceAll(run, '<run>').split('\n').slice(4).join('\n')).toMatchInlineSnapshot(`
    "
    layer 2
    ┌──────┬──────────┬───────┬────────────────────────────────────────────────────────────────────────────────────────────┐
    │  pos │ ‖vector‖ │ scale │ tokens, most likely first (probability in %)                                               │
    ├──────┼──────────┼───────┼────────────────────────────────────────────────────────────────────────────────────────────┤
    │    0 │    2.015 │   0.7 │ ␣at␣0.7 50.0  #6 25.0                                                                      │
    │   1~ │    2.463 │    20 │ ␣at␣20 50.0  #6 25.0                                                                       │
    └──────┴──────────┴───────┴────────────────────────────────────────────────────────────────────────────────────────────┘

    ~ the diff there is not above the noise, which asks for norm > swapNormMean + 5 · swapNormDeviation: longer than the means that come out when base and finetuned are swapped at random, text by text
    "
  `);

  const read = async (...more: string[]) => {
    const { layers } = JSON.parse((await show('--json', ...more)).stdout) as {
      layers: {
        layer: number;
        positions: { position: number; scale: number; mode: string; tokens: { text: string }[] }[];
      }[];
    };
    return layers.flatMap(({ layer, positions }) =>
      positions.map(({ position, scale, mode, tokens }) => [layer, position, scale, mode, tokens[0]?.text]),
    );
  };
  expect(await read()).toEqual([
    [2, 0, 0.7, 'EXACT', ' at 0.7'],
    [2, 1, 20, 'EXACT', ' at 20'],
  ]);
  expect(await read('--scale', '0.5')).toEqual([
    [2, 0, 0.5, 'EXACT', ' at 0.5'],
    [2, 1, 0.5, 'EXACT', ' at 0.5'],
  ]);
});

test('show says what there is in place of what there is not', async () => {
  const { data, run } = measured();
  for (const [args, line] of [
    [['--method', 'none'], `run ${run} was not read by "none", only by logit-lens, patchscope`],
    [
      ['--method', 'patchscope', '--layer', '1'],
      `run ${run} was not read by "patchscope", only by logit-lens`,
    ],
    [
      ['--method', 'patchscope', '--scale', '3'],
      `run ${run} was not read by "patchscope" at scale 3; --scale takes 0.5, 0.7, 20`,
    ],
    [['--scale', '1'], '"logit-lens" knows no scales; leave --scale out'],
  ] as const) {
    expect(await deltascope('show', 'tiny-cake', ...args, '--data', data)).toEqual({
      code: 1,
      stdout: '',
      stderr: `deltascope: ${line}\n`,
    });
  }
  for (const scale of ['0', '-1', 'much', 'Infinity']) {
    const refused = await deltascope('show', 'tiny-cake', '--scale', scale, '--data', data);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toMatch(/--scale <n>.*A number above 0 is expected/);
  }
});
