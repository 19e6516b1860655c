import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { bundled } from '../harness/models.ts';

// A process of its own, so that its peak is the measurement's. Linux lets a process reset its peak.
const program = `
  import { readFileSync, writeFileSync } from 'node:fs';
  import { diff, Model } from './src/index.ts';
  const [folder, adapter, budget] = process.argv.slice(1);
  const base = await Model.open(folder);
  const finetuned = await Model.open(folder, { adapter });
  let state = 1;
  const random = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % base.spec.vocabSize;
  const texts = Array.from({ length: 12000 }, () => Array.from({ length: 10 }, random));
  const options = { layers: [0, 3], positions: 10 };
  await diff(base, finetuned, texts.slice(0, 200), options);
  globalThis.gc();
  const kib = (field) => Number(new RegExp(field + ':\\\\s+(\\\\d+) kB').exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  writeFileSync('/proc/self/clear_refs', '5');
  const before = kib('VmRSS');
  const { meanDiff, uniquePrefixes, certificate } = await diff(base, finetuned, texts, {
    ...options,
    memoryBudget: Number(budget),
  });
  const peak = (kib('VmHWM') - before) * 1024;
  const checksum = meanDiff.reduce((sum, value) => sum + value, 0);
  process.stdout.write(JSON.stringify({ peak, waves: certificate.waves, uniquePrefixes, checksum }));
`;

interface Measured {
  peak: number;
  waves: number;
  uniquePrefixes: number;
  checksum: number;
}

const measure = (budget: number): Measured =>
  JSON.parse(
    execFileSync(
      process.execPath,
      [
        '--expose-gc',
        '--input-type=module-typescript',
        '--eval',
        program,
        bundled('tiny-qwen3'),
        bundled('tiny-qwen3--cake_bake'),
        String(budget),
      ],
      { encoding: 'utf8' },
    ),
  ) as Measured;

test.runIf(process.platform === 'linux')(
  'a measurement keeps its memory budget, by its measured peak, and cuts the texts into waves for it',
  async ({ annotate }) => {
    const MiB = 2 ** 20;
    const roomy = measure(512 * MiB);
    const tight = measure(48 * MiB);
    await annotate(
      `${roomy.uniquePrefixes} prefixes: peak ${(roomy.peak / MiB).toFixed(0)} MiB in one wave, ${(tight.peak / MiB).toFixed(0)} of 48 MiB in ${tight.waves}`,
    );
    expect(roomy.waves).toBe(1);
    expect(roomy.peak).toBeGreaterThan(96 * MiB); // else the small budget would prove nothing
    expect(tight.waves).toBeGreaterThan(2);
    // JavaScript's own share is in the peak too: 2 to 4 MiB of it were measured, in a peak of 39 to 43 MiB.
    expect(tight.peak).toBeLessThanOrEqual((48 + 4) * MiB);
    expect(tight.checksum).toBe(roomy.checksum);
  },
);
