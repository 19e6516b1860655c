import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { cosine } from '../../src/lib/vector-math.ts';
import { float32Values } from '../../src/lib/float32-bytes.ts';
import { serve } from '../harness/serve.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const script = 'docs/quickstart.py';

test('the Python quickstart finds, fetches and compares vectors', async () => {
  const numpy = spawnSync('python3', ['-c', 'import numpy'], { encoding: 'utf8' });
  if (numpy.status !== 0)
    throw new Error(`${script} needs python3 with numpy: ${numpy.error?.message ?? numpy.stderr.trim()}`);

  const store = temporaryStore();
  const run = seedRun(store);
  const { url } = await serve(store);
  const { stdout } = await promisify(execFile)('python3', [script, url]);

  const vectors = [0, 1, 2].map((position) => store.diffVectors.findByKey(`${run.key}.L2.P${position}`)!);
  const numbers = vectors.map((vector) =>
    float32Values(store.vectors.read(store.vectors.get(vector, 'DIFF'))),
  );
  const expected = vectors.map(({ position, norm }, i) => {
    const value = cosine(numbers[i]!, numbers[0]!)!;
    return `tiny-cake position ${position}: norm ${norm!.toFixed(3)}, cosine with the first ${value < 0 ? '' : '+'}${value.toFixed(4)}\n`;
  });
  expect(stdout).toBe(expected.join(''));
});

test('it needs nothing but the standard library and numpy, and at most twenty lines', () => {
  const lines = readFileSync(script, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '');
  expect(lines.length).toBeLessThanOrEqual(20);
  const modules = lines.flatMap((line) => /^import (.+)$/.exec(line)?.[1]?.split(', ') ?? []);
  expect(modules).toEqual(['json', 'sys', 'urllib.request', 'numpy']);
});
