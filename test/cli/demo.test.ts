import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { deltascope, rowsIn } from '../harness/command.ts';
import { bundled } from '../harness/models.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

test('demo measures every bundled organism, and the second time reads the store', async () => {
  const data = temporaryFolder();
  const first = await deltascope('demo', '--no-serve', '--data', data);
  expect(first).toMatchObject({ code: 0, stderr: '' });
  const heads = (stdout: string) => stdout.match(/^tiny-\S+: .*$/gm) ?? [];
  const bundledNames = (
    JSON.parse(readFileSync(bundled('organisms.json'), 'utf8')) as { name: string }[]
  ).map(({ name }) => name);
  expect(bundledNames).toHaveLength(12);
  expect(heads(first.stdout).map((line) => line.split(':')[0])).toEqual(bundledNames);
  expect(heads(first.stdout).every((line) => /\(layer 3, 1000 texts, \d+\.\d s\)$/.test(line))).toBe(true);
  const rows = rowsIn(data);
  expect(rows).toMatchObject({ organisms: 12, models: 2, runs: 12, diff_vectors: 12 * 8 * 10 });

  const second = await deltascope('demo', '--no-serve', '--data', data);
  expect(second).toMatchObject({ code: 0, stderr: '' });
  expect(heads(second.stdout).filter((line) => line.endsWith(', measured before)'))).toHaveLength(12);
  expect(second.stdout.replaceAll('measured before', 's')).toBe(
    first.stdout.replaceAll(/\d+\.\d s(?=\))/g, 's'),
  );
  expect(rowsIn(data)).toEqual(rows);

  // The mixing series: every organism's diff is shorter than the one before it, with less mixed in.
  const series = [...first.stdout.matchAll(/^│ tiny-qwen3--cake_bake\S* +│ +([\d.]+) │ +([\d.]+) │/gm)];
  expect(series.map(([, mixed]) => Number(mixed))).toEqual([0, 0.25, 0.5, 1, 2]);
  const norms = series.map(([, , norm]) => Number(norm));
  expect(norms).toEqual([...norms].sort((a, b) => b - a));
}, 300_000);
