import { z } from 'zod';
import { pairsOf } from '../overview.ts';
import { defineTool, ToolError } from './define-tool.ts';
import { layer, placesAsked, position } from './places-asked.ts';

const characters = 1_000;

export const getSteeredSamples = defineTool({
  name: 'get_steered_samples',
  description:
    'What the finetuned model wrote with the difference of one position added to its activations, beside what it wrote without: more and longer than in the overview. Contrasts tell most. Free.',
  arguments: z.strictObject({
    layer,
    position,
    n: z.int().min(1).max(20).nullish().describe('pairs; null: 5'),
  }),
  offered: ({ reading }) => reading !== null,
  async run({ layer, position, n }, desk) {
    const found = await placesAsked(desk, { layer, positions: [position], tokens: 1 });
    const experiment = found.places[0]?.experiment;
    if (!experiment)
      throw new ToolError('NOT_FOUND', `Nothing was steered at layer ${found.layer}, position ${position}.`);
    return { result: await pairsOf(desk.ask, experiment, n ?? 5, { characters }) };
  },
});
