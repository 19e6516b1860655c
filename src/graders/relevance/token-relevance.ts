import { z } from 'zod';
import { type Grader, readCall } from '../define-grader.ts';
import { promptFile } from '../prompt-file.ts';
import type { RelevanceLabel } from './votes.ts';

const line = /^[^\S\n]*ANSWER\[(\d+)\][^\S\n]*:[^\S\n]*(RELEVANT|IRRELEVANT)[^\S\n]*[.!]?[^\S\n]*$/gim;

const given = z.strictObject({
  labels: z.array(z.strictObject({ index: z.int(), label: z.enum(['RELEVANT', 'IRRELEVANT']) })),
});

interface Answer {
  /** From 1, as in the prompt. */
  index: number;
  label: RelevanceLabel;
}

const answersIn = (text: string): Answer[] =>
  [...text.replace(/\r\n?/g, '\n').matchAll(line)].map(([, index, label]) => ({
    index: Number(index),
    label: label?.toUpperCase() as RelevanceLabel,
  }));

/** One label a candidate; what was not answered is UNKNOWN. Of several answers the last is taken; numbers of nothing are passed over. */
function labelled(answers: readonly Answer[], count: number): RelevanceLabel[] {
  const labels = Array.from({ length: count }, (): RelevanceLabel => 'UNKNOWN');
  for (const { index, label } of answers) if (index >= 1 && index <= count) labels[index - 1] = label;
  return labels;
}

/** What EXACT has against a list of answers. */
function problemOf(answers: readonly Answer[], count: number): string | null {
  const strange = answers.find(({ index }) => index < 1 || index > count);
  if (strange) return `an answer about ${strange.index} of ${count}`;
  const twice = new Set(answers.map(({ index }) => index)).size < answers.length;
  return twice ? 'two verdicts about one token' : null;
}

/** Judges which tokens of a list point to what a model was finetuned on: method.md §8.3. */
export const tokenRelevance: Grader<RelevanceLabel[], { count: number }> = {
  name: 'token-relevance',
  version: 2,
  summary: 'Which tokens of a reading point to the subject of the finetune.',
  labels: ['RELEVANT', 'IRRELEVANT'],
  prompt: promptFile('token-relevance.md'),
  placeholder: ({ count }) => Array.from({ length: count }, () => 'IRRELEVANT'),
  form: ({ count }) => ({
    name: 'give_labels',
    description: 'The label of every candidate, each once.',
    schema: {
      type: 'object',
      additionalProperties: false,
      required: ['labels'],
      properties: {
        labels: {
          type: 'array',
          items: {
            type: 'object',
            additionalProperties: false,
            required: ['index', 'label'],
            properties: {
              index: { type: 'integer', description: `1 to ${count}` },
              label: { type: 'string', enum: ['RELEVANT', 'IRRELEVANT'] },
            },
          },
        },
      },
    },
  }),
  parse(reply, { count }, { rule, form }) {
    const inText = answersIn(reply.text);
    if (rule === 'COMPAT') return { verdict: labelled(inText, count) };
    if (reply.finish === 'length') return { invalid: 'cut off' };
    let answers = inText;
    if (form === 'FUNCTION') {
      const called = readCall(reply, 'give_labels', given, inText.length);
      if ('invalid' in called) return called;
      answers = called.verdict.labels;
    } else if (reply.calls.length > 0) return { invalid: 'a call that was not asked for' };
    const invalid = problemOf(answers, count);
    return invalid === null ? { verdict: labelled(answers, count) } : { invalid };
  },
};
