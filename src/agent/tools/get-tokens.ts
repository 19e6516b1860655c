import { z } from 'zod';
import { tokensOf } from '../overview.ts';
import { methods } from '../places.ts';
import { defineTool } from './define-tool.ts';
import { layer, placesAsked, position } from './places-asked.ts';

export const getTokens = defineTool({
  name: 'get_tokens',
  description:
    'Tokens that the activation difference at some positions is read as, strongest first, with probabilities; for comparison also what the mean activation of the base or of the finetuned model is read as. Free.',
  arguments: z.strictObject({
    method: z
      .enum(methods)
      .describe('logit-lens reads the vector by the model’s head; patchscope lets the model say it'),
    layer,
    positions: z.array(position).min(1).max(20),
    vector: z.enum(['difference', 'base', 'finetuned']).nullish().describe('null: the difference'),
    k: z.int().min(1).max(100).nullish().describe('tokens of each position; null: 20'),
  }),
  offered: ({ reading }) => reading !== null,
  async run({ method, layer, positions, vector, k }, desk) {
    const tokens = k ?? 20;
    const found = await placesAsked(desk, { layer, positions, tokens });
    // Of a null pair the base's mean stands for the difference, and both models have it.
    const isMean = desk.pair === 'ORGANISM' && (vector === 'base' || vector === 'finetuned');
    const variant = isMean ? vector : 'diff';
    return {
      result: {
        layer: found.layer,
        positions: found.places.map((place) => ({
          position: place.position,
          tokens: tokensOf(place, method, variant, tokens),
        })),
      },
    };
  },
});
