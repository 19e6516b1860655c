import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Model } from '../../src/index.ts';
import { packageRoot } from '../../src/lib/package-root.ts';
import { worstRow } from './numbers.ts';
import { floats, readSafetensors, tokenRows } from './safetensors.ts';

/** A folder of test/fixtures/golden/. */
export const golden = (name: string): string => join(packageRoot(), 'test/fixtures/golden', name);

/** Every golden case: a checkpoint, or an adapter "<checkpoint>--<adapter>". */
export const goldenCases: string[] = readdirSync(golden('')).sort();

/** Where Model.open finds a golden case. */
export function goldenFolders(name: string): [folder: string, options: { adapter?: string }] {
  const [checkpoint] = name.split('--');
  return [golden(checkpoint!), name === checkpoint ? {} : { adapter: golden(name) }];
}

export interface GoldenError {
  /** Largest relative L2 error of an activation vector, over all blocks and tokens; of a token's logits. */
  activations: number;
  logits: number;
}

/** How far a model is from what transformers computed for a golden case in float32. NaN when a shape differs. */
export async function goldenError(model: Model, name: string): Promise<GoldenError> {
  const expected = readSafetensors(join(golden(name), 'expected.safetensors'));
  const tokens = tokenRows(expected.get('input_ids'));
  const [residuals, logits] = [floats(expected.get('resid')), floats(expected.get('logits'))];
  const [blocks = 0, sequences = 0, length = 0, dModel = 0] = expected.get('resid')!.shape;
  const { layers, vocabSize } = model.spec;
  if (layers + 1 !== blocks) return { activations: NaN, logits: NaN };

  const ours = await model.residuals(tokens, { layers: Array.from({ length: layers }, (_, l) => l) });
  const ourLogits = await model.logits(tokens);
  const error = { activations: 0, logits: 0 };
  tokens.forEach((ids, s) => {
    for (let layer = 0; layer < layers; layer++) {
      const from = ((layer + 1) * sequences + s) * length * dModel;
      const theirs = residuals.subarray(from, from + ids.length * dModel);
      error.activations = Math.max(error.activations, worstRow(ours[layer]![s]!, theirs, dModel));
    }
    const from = s * length * vocabSize;
    const theirs = logits.subarray(from, from + ids.length * vocabSize);
    error.logits = Math.max(error.logits, worstRow(ourLogits[s]!, theirs, vocabSize));
  });
  return error;
}
