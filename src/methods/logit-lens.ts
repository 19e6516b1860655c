import { z } from 'zod';
import { defineMethod, engineMode, type Projection, type Variant } from './define-method.ts';

const variants: readonly Variant[] = ['DIFF', 'BASE', 'FINETUNED'];

export const logitLens = defineMethod({
  name: 'logit-lens',
  version: 1,
  summary: 'Reads a vector through the finetuned model’s final norm and unembedding.',
  parameters: z.object({
    top: z.int().min(1).max(1000),
    mode: z.enum(['EXACT', 'COMPAT']).default('EXACT'),
  }),

  async project(sets, { base, finetuned, signal }, { top, mode }) {
    // The finetuned model reads all three variants, as in the published method.
    const vectors = sets.flatMap((set) => variants.map((variant) => set[variant]));
    const k = Math.min(top, finetuned.spec.vocabSize);
    // One tokenizer for both models, the base's, which also made the ids.
    const text = (id: number) => base.tokenizer.decode([id]);
    const readings = await finetuned.logitLens(vectors, {
      k,
      signal,
      mode: engineMode(mode),
    });
    return sets.map((_, i) =>
      variants.flatMap((variant, v): Projection[] => {
        const reading = readings[i * variants.length + v];
        if (!reading) throw new Error('the engine returned too few readings');
        const tokens = (end: typeof reading.top) =>
          end.map(({ id, probability }) => ({ tokenId: id, text: text(id), probability }));
        return [
          { variant, sign: 'PROMOTED', mode, tokens: tokens(reading.top) },
          { variant, sign: 'SUPPRESSED', mode, tokens: tokens(reading.bottom) },
        ];
      }),
    );
  },
});
