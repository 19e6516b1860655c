import { spawn } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { outcomeOf } from '../harness/command.ts';
import { bundled } from '../harness/models.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

test('budgets are tried from the least that is accepted, and what was taken stands beside them', async () => {
  const folder = temporaryFolder();
  symlinkSync(bundled('tiny-qwen3'), join(folder, 'base'));
  symlinkSync(bundled('tiny-qwen3--cake_bake'), join(folder, 'adapter'));
  const options = '--adapter --budgets 2 --texts 200 --step 1M'.split(' ');
  const { stdout, stderr } = await outcomeOf(
    spawn(process.execPath, ['bench/memory.ts', '--model', folder, ...options], {
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  expect(stderr).not.toContain('bench:');
  const rows = stdout
    .split('\n')
    .filter((line) => /^\| +\d/.test(line))
    .map((line) => line.split('|').slice(1, -1).map(parseFloat));
  expect(rows).toHaveLength(2);
  const [[, , least = NaN] = [], [texts, waves, next, taken] = []] = rows;
  expect([texts, (next ?? NaN) - least]).toEqual([200, 1]);
  expect(waves).toBeGreaterThan(1);
  expect(taken).toBeGreaterThan(0);
});
