import { expect, test } from 'vitest';
import { diff, Model } from '../../src/index.ts';

const warningsOn = async (base: string, adapter: string): Promise<string[]> => {
  const plain = await Model.open(base);
  const adapted = await Model.open(base, { adapter });
  const { certificate } = await diff(plain, adapted, [[5, 6, 7]], { layers: [0] });
  return certificate.warnings;
};

test('an adapter that names another base is a warning, even where its shapes fit', async () => {
  const adapter = 'organisms/tiny-qwen3--cake_bake';
  expect(await warningsOn('organisms/tiny-qwen3', adapter)).toEqual([]);
  expect(await warningsOn('organisms/tiny-llama', adapter)).toEqual([
    'the adapter names another base: ../tiny-qwen3',
  ]);
});
