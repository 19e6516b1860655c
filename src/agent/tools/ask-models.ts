import { z } from 'zod';
import { answerTo, own } from '../material.ts';
import { defineTool, demandInteractions, promptList, ToolError } from './define-tool.ts';

export const askModels = defineTool({
  name: 'ask_models',
  description:
    'Puts prompts to both models, the base and the finetuned one, and gives both answers to each. Costs one interaction a prompt.',
  arguments: z.strictObject({ prompts: promptList }),
  offered: ({ models }) => models !== null,
  async run({ prompts }, desk) {
    const { models, seed, signal } = desk;
    if (!models) throw new ToolError('NOT_FOUND', 'The models cannot be asked here.');
    demandInteractions(desk, prompts.length);
    const { base, finetuned } = await models.ask(prompts, { seed, signal });
    return {
      interactions: prompts.length,
      result: prompts.map((prompt, i) => ({
        prompt: own(prompt),
        base: answerTo(prompt, base[i] ?? ''),
        finetuned: answerTo(prompt, finetuned[i] ?? ''),
      })),
    };
  },
});
