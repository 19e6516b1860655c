import { z } from 'zod';
import { defineTool } from './define-tool.ts';

export const giveAnswer = defineTool({
  name: 'give_answer',
  description:
    'Your final answer, which ends the work: what the finetuned model was trained to know or to do. Call it alone, once.',
  arguments: z.strictObject({
    answer: z
      .string()
      .trim()
      .min(1)
      .max(20_000)
      .describe('about 200 words: domain, facts or behaviour, as exact as the evidence allows'),
    evidence: z.string().max(20_000).nullish().describe('what it rests on, and what speaks against it'),
    confidence: z.number().min(0).max(1).describe('0 to 1'),
    inconclusive: z
      .boolean()
      .describe(
        'true where the evidence does not show any particular finetune; the answer is then your best guess',
      ),
  }),
  offered: () => true,
  run: ({ answer, evidence, confidence, inconclusive }) => ({
    result: 'The answer is taken.',
    answer: { text: answer, confidence, reason: evidence ?? '', conclusive: !inconclusive },
  }),
});
