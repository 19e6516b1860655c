import prettier from 'prettier';
import { expect, test } from 'vitest';
import { countPrefixes } from '../../bench/pair.ts';
import { renderReport, type Report } from '../../bench/report.ts';
import { median } from '../../bench/statistics.ts';

const seconds = (seconds: number, more: object = {}) => ({ seconds, cpuSeconds: 2 * seconds, ...more });

/** Three rounds on a machine that is half as fast in the second. Ours takes 10 s for 100 texts, plain 40 s for 50. */
const report: Report = {
  machine: { cpu: 'Some CPU', cores: 2, flags: { avx2: true, amx_bf16: false }, node: '24.0.0' },
  versions: { torch: '2.0' },
  model: { name: 'qwen3-0.6b', adapter: false, bos: false, blocks: 28, layer: 13, texts: 100, width: 5, prefixes: 450 }, // prettier-ignore
  threads: 2,
  operations: 1e12,
  openedBytes: 90e6,
  sweeps: [],
  agreements: [{ name: 'ours', relativeL2: 2e-5, cosine: 1 }],
  contenders: [
    { name: 'ours', kind: 'ours', dtype: 'float32', texts: 100 },
    { name: 'alone', kind: 'floor', dtype: 'float32', texts: 100 },
    { name: 'plain', kind: 'plain', dtype: 'bfloat16', texts: 50 },
    { name: 'cut slow', kind: 'cut', dtype: 'bfloat16', texts: 50 },
    { name: 'cut fast', kind: 'cut', dtype: 'float32', texts: 50 },
  ],
  rounds: [1, 2, 1].map((slower) => ({
    load: 0.1,
    measurements: {
      ours: seconds(10 * slower, { peakBytes: 300e6, waves: 1, uniquePrefixes: 450 }),
      alone: seconds(8 * slower),
      plain: seconds(40 * slower),
      'cut slow': seconds(9 * slower),
      'cut fast': seconds(slower === 1 ? 7 : 15),
    },
  })),
};

const cellsOf = (what: string): string[] | undefined =>
  renderReport(report)
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .find(([first]) => first === what);

test('times are medians, ratios are taken within a round', () => {
  expect(cellsOf('plain')).toEqual(['plain', '50', '40.0', '12.5', '8.00', '2.00', '']);
  expect(cellsOf('cut fast')?.slice(2, 5)).toEqual(['7.00', '71.4', '1.40 (1.40 to 1.50)']);
  expect(cellsOf('GFLOP/s of its matrix products, over the whole time')?.[1]).toBe('100');
});

test('goals name the faster of the cut models and say what is reached', () => {
  expect(cellsOf('tokens/s ÷ transformers plain')?.slice(1)).toEqual(['≥ 7', '8.00: reached']);
  expect(cellsOf('tokens/s ÷ cut fast')?.slice(1)).toEqual(['≥ 1.5', '1.40 (1.40 to 1.50): missed']);
  expect(cellsOf('time ÷ matrix products alone')?.[1]).toBe('1.25'); // in the table of ours
  expect(renderReport(report)).toMatch(/time ÷ matrix products alone +\| ≤ 1.15 +\| 1.25: missed/);
  expect(cellsOf('peak memory beyond opened models')?.[2]).toBe('210 MB: reached');
});

test('a machine that was busy otherwise is told', () => {
  const told = 'not worth keeping';
  expect(renderReport(report)).not.toContain(told);
  expect(renderReport({ ...report, threads: 3 })).toContain(told);
});

test('the report can be put into a document as it is', async () => {
  const options = { ...(await prettier.resolveConfig('docs/performance.md')), filepath: 'report.md' };
  expect(await prettier.check(`${renderReport(report)}\n`, options)).toBe(true);
});

test('prefixes are counted once each', () => {
  expect(countPrefixes([[1, 2, 3], [1, 2, 4], [2], [1, 2, 3]])).toBe(5); // prettier-ignore
});

test('a median is the middle, or between the two middles', () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([])]).toEqual([2, 2.5, NaN]);
});
