import { z } from 'zod';
import { answerTo, own } from '../material.ts';
import { steeredPairs } from '../places.ts';
import { defineTool, demandInteractions, promptList, ToolError } from './define-tool.ts';
import { layer, placesAsked, position } from './places-asked.ts';

export const generateSteered = defineTool({
  name: 'generate_steered',
  description:
    'Lets the finetuned model answer prompts of yours with the difference of one position added to its activations. Costs one interaction a prompt.',
  arguments: z.strictObject({
    layer,
    position,
    strength: z
      .number()
      .min(0)
      .max(100)
      .nullish()
      .describe(
        'in lengths of a typical token’s activation; null: the strongest that stays coherent, where that is known',
      ),
    prompts: promptList,
  }),
  offered: ({ models, reading }) => models !== null && reading !== null,
  async run({ layer, position, strength, prompts }, desk) {
    const { models, ask, seed, signal } = desk;
    if (!models) throw new ToolError('NOT_FOUND', 'Nothing can be steered here.');
    demandInteractions(desk, prompts.length);
    const found = await placesAsked(desk, { layer, positions: [position], tokens: 1 });
    const [place] = found.places;
    if (!place) throw new ToolError('NOT_FOUND', `Layer ${found.layer} has no position ${position}.`);
    const known = place.experiment === null ? null : (await steeredPairs(ask, place.experiment)).strength;
    const used = strength ?? known;
    if (used === null)
      throw new ToolError('STRENGTH_NEEDED', 'No strength is known for this position; give one, such as 1.');
    const texts = await models.steer(
      prompts,
      { layer: found.layer, position, strength: used },
      { seed, signal },
    );
    return {
      interactions: prompts.length,
      result: {
        strength: used,
        texts: prompts.map((prompt, i) => ({
          prompt: own(prompt),
          steered: answerTo(prompt, texts[i] ?? ''),
        })),
      },
    };
  },
});
