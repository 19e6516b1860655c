import { z } from 'zod';
import { tokensOf } from '../overview.ts';
import { methods, placesFor } from '../places.ts';
import { defineTool, ToolError } from './define-tool.ts';

export const getTokens = defineTool({
  name: 'get_tokens',
  description:
    'Tokens that the activation difference at some positions is read as, strongest first, with probabilities; for comparison also what the mean activation of the base or of the finetuned model is read as. Free.',
  arguments: z.strictObject({
    method: z
      .enum(methods)
      .describe('logit-lens reads the vector by the model’s head; patchscope lets the model say it'),
    layer: z.int().min(0).nullish().describe('decoder block; null: that of the overview'),
    positions: z.array(z.int().min(0)).min(1).max(20),
    vector: z.enum(['difference', 'base', 'finetuned']).nullish().describe('null: the difference'),
    k: z.int().min(1).max(100).nullish().describe('tokens of each position; null: 20'),
  }),
  offered: ({ reading }) => reading !== null,
  async run({ method, layer, positions, vector, k }, { reading, ask, pair }) {
    if (!reading) throw new ToolError('NOT_FOUND', 'There are no vectors.');
    const where = { run: reading.run.key, layer: layer ?? reading.layer, positions, tokens: k ?? 20 };
    const found = await placesFor(ask, pair, where).catch((error: unknown) => {
      if ((error as ToolError).code !== 'NOT_FOUND') throw error;
      throw new ToolError('NOT_FOUND', `Layer ${where.layer} was not measured.`);
    });
    const variant = vector === 'base' || vector === 'finetuned' ? vector : 'diff';
    return {
      result: {
        layer: found.layer,
        positions: found.places.map((place) => ({
          position: place.position,
          tokens: tokensOf(place, method, variant, where.tokens),
        })),
      },
    };
  },
});
