import type { SampleRow } from '../src/db/index.ts';
import { builder, type GraphContext } from './builder.ts';
import { connectionType } from './connection.ts';
import { costs } from './cost.ts';
import { SampleFinishEnum } from './enums.ts';
import { rowsOf, spend } from './spend.ts';
import { SteeringExperimentRef } from './steering-experiment.ts';

export const SampleRef = builder.objectRef<SampleRow>('Sample');
export const SampleConnection = connectionType('Sample', SampleRef);

const bytesPerId = 4;

function read(sample: SampleRow, context: GraphContext) {
  const content = context.store.samples.read(sample);
  spend(context, rowsOf(content.prompt.length + content.text.length + bytesPerId * content.tokenIds.length));
  return content;
}

builder.node(SampleRef, {
  description: 'A text that the finetuned model wrote in a steering experiment.',
  id: { resolve: (sample) => sample.key },
  loadOne: (key, { store }) => store.samples.findByKey(key),
  fields: (t) => ({
    key: t.exposeString('key', {
      description: 'Readable identity: <experiment>.steered or unsteered.<prompt>.<number>.',
    }),
    promptIndex: t.exposeInt('promptIndex', {
      description: 'Which prompt of the experiment it answers, 0-based.',
    }),
    sampleIndex: t.exposeInt('sampleIndex', {
      description: 'Number among the texts of the same prompt, steered or unsteered, 0-based.',
    }),
    steered: t.exposeBoolean('steered', { description: 'Whether the vector was added.' }),
    strength: t.exposeFloat('strength', {
      description: 'What it was multiplied by, in the unit of the experiment’s strength; 0 when unsteered.',
    }),
    prompt: t.string({
      ...costs({ weight: 1 }),

      description: 'What the model was asked.',
      resolve: (sample, _, context) => read(sample, context).prompt,
    }),
    text: t.string({
      ...costs({ weight: 1 }),

      description: 'What it said, the prompt left out; empty when it ended at once.',
      resolve: (sample, _, context) => read(sample, context).text,
    }),
    tokenIds: t.intList({
      ...costs({ weight: 1, assumedSize: 500 }),

      description: 'The ids of what it said, in the vocabulary of the base’s tokenizer.',
      resolve: (sample, _, context) => read(sample, context).tokenIds,
    }),
    tokens: t.exposeInt('tokens', { description: 'Number of tokens that it said, 0 or more.' }),
    finish: t.expose('finish', { type: SampleFinishEnum, description: 'Why it ended.' }),
    perplexity: t.exposeFloat('perplexity', {
      nullable: true,
      description:
        'exp of the mean loss that the base model has on it, no unit, about 1 or more: low when it is ordinary text. Null when not measured.',
    }),
    coherent: t.exposeBoolean('coherent', {
      nullable: true,
      description: 'What the experiment’s judge said. Null when it was not asked or could not tell.',
    }),
    experiment: t.field({
      type: SteeringExperimentRef,
      description: 'The experiment it belongs to.',
      resolve: (sample) => sample.experiment,
    }),
  }),
});
