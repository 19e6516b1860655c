import { z } from 'zod';
import { defineMethod, type Projection, type Variant } from './define-method.ts';

const variants: readonly Variant[] = ['DIFF', 'BASE', 'FINETUNED'];

export const logitLens = defineMethod({
  name: 'logit-lens',
  version: 1,
  summary: 'Reads a vector through the finetuned model’s final norm and unembedding.',
  parameters: z.object({ top: z.int().min(1).max(1000) }),

  async project(sets, { finetuned, signal }, { top }) {
    // The finetuned model reads all three variants, as in the published method.
    const vectors = sets.flatMap((set) => variants.map((variant) => set[variant]));
    const k = Math.min(top, finetuned.spec.vocabSize);
    const readings = await finetuned.logitLens(vectors, { k, signal });
    return sets.map((_, i) =>
      variants.flatMap((variant, v): Projection[] => {
        const reading = readings[i * variants.length + v];
        if (!reading) throw new Error('the engine returned too few readings');
        const tokens = (end: typeof reading.top) =>
          end.map(({ id, text, probability }) => ({ tokenId: id, text, probability }));
        return [
          { variant, sign: 'PROMOTED', tokens: tokens(reading.top) },
          { variant, sign: 'SUPPRESSED', tokens: tokens(reading.bottom) },
        ];
      }),
    );
  },
});
