import { z } from 'zod';
import { pairsOf } from '../overview.ts';
import { placesFor } from '../places.ts';
import { defineTool, ToolError } from './define-tool.ts';

const characters = 1_000;

export const getSteeredSamples = defineTool({
  name: 'get_steered_samples',
  description:
    'What the finetuned model wrote with the difference of one position added to its activations, beside what it wrote without: more and longer than in the overview. Contrasts tell most. Free.',
  arguments: z.strictObject({
    layer: z.int().min(0).nullish().describe('decoder block; null: that of the overview'),
    position: z.int().min(0),
    n: z.int().min(1).max(20).nullish().describe('pairs; null: 5'),
  }),
  offered: ({ reading, pair }) => reading !== null && pair === 'ORGANISM',
  async run({ layer, position, n }, { reading, ask, pair }) {
    if (!reading) throw new ToolError('NOT_FOUND', 'There are no vectors.');
    const where = { run: reading.run.key, layer: layer ?? reading.layer, positions: [position], tokens: 1 };
    const { places } = await placesFor(ask, pair, where).catch(() => ({ places: [] }));
    const experiment = places[0]?.experiment;
    if (!experiment)
      throw new ToolError('NOT_FOUND', `Nothing was steered at layer ${where.layer}, position ${position}.`);
    return { result: await pairsOf(ask, experiment, n ?? 5, { characters }) };
  },
});
