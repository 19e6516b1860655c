import type { SimilarityRow } from '../src/db/index.ts';
import { cosineOf } from '../src/runs/nearest-vectors.ts';
import { builder, type GraphContext } from './builder.ts';
import { connectionType } from './connection.ts';
import { costs } from './cost.ts';
import { SimilarityGroupEnum, SimilarityOtherEnum } from './enums.ts';
import { badUserInput } from './errors.ts';
import { rowsOf, spend } from './spend.ts';
import { SteeringExperimentRef } from './steering-experiment.ts';

export const SimilarityRef = builder.objectRef<SimilarityRow>('Similarity');
export const SimilarityConnection = connectionType('Similarity', SimilarityRef);

builder.node(SimilarityRef, {
  description: 'How alike two groups of texts are to an encoder: the mean cosine over all pairs.',
  id: { resolve: (similarity) => similarity.key },
  loadOne: (key, { store }) => store.similarities.findByKey(key),
  fields: (t) => ({
    key: t.exposeString('key', {
      description: 'Readable identity: <experiment>.<group>.<other>.<twelve hex digits of the rest>.',
    }),
    group: t.expose('group', { type: SimilarityGroupEnum, description: 'The texts that are compared.' }),
    other: t.expose('other', {
      type: SimilarityOtherEnum,
      description: 'The texts that they are compared with.',
    }),
    cosine: t.exposeFloat('cosine', {
      description:
        'Mean cosine of the embeddings over all pairs, -1..1; where both groups are the same, over pairs of different texts.',
    }),
    texts: t.exposeInt('texts', { description: 'Number of texts in the group, 1 or more.' }),
    otherTexts: t.exposeInt('otherTexts', { description: 'Number of texts in the other group, 1 or more.' }),
    encoderName: t.exposeString('encoderName', { description: 'The model that embedded the texts.' }),
    encoderDigest: t.exposeString('encoderDigest', {
      description:
        'SHA-256 of that model’s checkpoint, in hex; of one behind a server of its address and name.',
    }),
    parameters: t.expose('parameters', { type: 'JSON', description: 'Whatever else decides it.' }),
    engineVersion: t.exposeString('engineVersion', {
      description: 'Version of the engine that computed it.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was saved here.' }),
    experiment: t.field({
      type: SteeringExperimentRef,
      description: 'The experiment it was computed for.',
      resolve: (similarity) => similarity.experiment,
    }),
  }),
});

builder.queryField('similarity', (t) =>
  t.float({
    ...costs({ weight: 8 }),
    nullable: true,
    description:
      'Cosine, -1..1, of two diffs of one width, of any base; an error when there is no such vector or the widths differ. Null when either is zero or not finite.',
    args: {
      a: t.arg.string({ required: true, description: 'Key of a diff vector.' }),
      b: t.arg.string({ required: true, description: 'Key of a diff vector.' }),
    },
    resolve: (_, { a, b }, context) => {
      const [one, other] = [demand(a, context), demand(b, context)];
      if (one.layer.run.dModel !== other.layer.run.dModel) {
        throw badUserInput(
          `${a} has ${one.layer.run.dModel} numbers and ${b} has ${other.layer.run.dModel}; only vectors of one width have an angle.`,
        );
      }
      return cosineOf(context.store, one, other);
    },
  }),
);

function demand(key: string, context: GraphContext) {
  const vector = context.store.diffVectors.findByKey(key);
  if (!vector) throw badUserInput(`There is no diff vector ${JSON.stringify(key.slice(0, 100))} here.`);
  spend(context, rowsOf(4 * vector.layer.run.dModel));
  return vector;
}
