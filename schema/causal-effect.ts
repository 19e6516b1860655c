import type { CausalEffectRow } from '../src/db/index.ts';
import { builder } from './builder.ts';
import { connectionType } from './connection.ts';
import { costs } from './cost.ts';
import { DiffVectorRef } from './diff-vector.ts';
import { CausalControlEnum, CausalDirectionEnum, CausalSubsetEnum, ModeEnum } from './enums.ts';

export const CausalEffectRef = builder.objectRef<CausalEffectRow>('CausalEffect');
export const CausalEffectConnection = connectionType('CausalEffect', CausalEffectRef);

/** Loss of the model that runs, untouched, and of the one whose activations are lent or that it is compared with. */
const lossesOf = ({ direction, baseLoss, finetunedLoss }: CausalEffectRow) =>
  direction === 'BASE_TO_FINETUNED' || direction === 'ZERO_FINETUNED'
    ? { target: finetunedLoss, other: baseLoss }
    : { target: baseLoss, other: finetunedLoss };

const increaseOf = (effect: CausalEffectRow): number => effect.intervenedLoss - lossesOf(effect).target;

builder.node(CausalEffectRef, {
  description:
    'What it does to a model’s loss on evaluation texts when its activations along one direction are exchanged or removed. Losses are mean cross entropies in nats a predicted token, 0 or more, summed in float64.',
  id: { resolve: (effect) => effect.key },
  loadOne: (key, { store }) => store.causalEffects.findByKey(key),
  fields: (t) => {
    const kind = t.arg({
      type: CausalControlEnum,
      required: true,
      defaultValue: 'RANDOM_DIFFERENCE',
      description: 'Which control.',
    });
    return {
      key: t.exposeString('key', {
        description:
          'Readable identity: <diff vector>.causal.<direction>.<subset>.<control>.<twelve hex digits of the rest>.',
      }),
      direction: t.expose('direction', { type: CausalDirectionEnum, description: 'What was done.' }),
      subset: t.expose('subset', {
        type: CausalSubsetEnum,
        description: 'Which predictions the losses are of.',
      }),
      controlKind: t.expose('control', {
        type: CausalControlEnum,
        description: 'Whether it is along the diff vector itself or along random ones, to compare with.',
      }),
      mode: t.expose('mode', { type: ModeEnum, description: 'Which way of computing was followed.' }),
      corpusName: t.exposeString('corpusName', { description: 'The evaluation texts by their name.' }),
      corpusDigest: t.exposeString('corpusDigest', {
        description: 'SHA-256 of the evaluation texts’ file, in hex.',
      }),
      vectors: t.exposeInt('vectors', {
        description: 'Vectors that the intervened loss is the mean over: 1 without a control.',
      }),
      baseLoss: t.exposeFloat('baseLoss', { description: 'Loss of the base, untouched, in nats.' }),
      finetunedLoss: t.exposeFloat('finetunedLoss', {
        description: 'Loss of the finetuned, untouched, in nats.',
      }),
      intervenedLoss: t.exposeFloat('intervenedLoss', {
        description: 'Loss of the model that the direction names, with its activations changed, in nats.',
      }),
      intervenedLossDeviation: t.exposeFloat('intervenedLossDeviation', {
        nullable: true,
        description:
          'Standard deviation of the intervened loss over the vectors, in nats, 0 or more. Null when there is one vector.',
      }),
      increase: t.float({
        description:
          'intervenedLoss − loss of the same model untouched, in nats: above 0 when the model relies on the direction.',
        resolve: increaseOf,
      }),
      relativeIncrease: t.float({
        nullable: true,
        description:
          'increase / (loss of the other model − loss of the same model), no unit: 1 when the intervention costs all that tells the models apart. Null when their losses are equal.',
        resolve: (effect) => {
          const { target, other } = lossesOf(effect);
          return other === target ? null : increaseOf(effect) / (other - target);
        },
      }),
      control: t.field({
        type: CausalEffectRef,
        nullable: true,
        description:
          'The same intervention along random vectors: the one over most of them. Null when none was computed under the same parameters.',
        args: { kind },
        resolve: (effect, { kind }, { store }) => store.causalEffects.controlOf(effect, kind),
      }),
      increaseOverControl: t.float({
        ...costs({ weight: 1 }),

        nullable: true,
        description:
          'increase − the control’s, in nats: what is due to this direction and not to touching any. Null when there is no such control.',
        args: { kind },
        resolve: (effect, { kind }, { store }) => {
          const control = store.causalEffects.controlOf(effect, kind);
          return control ? increaseOf(effect) - increaseOf(control) : null;
        },
      }),
      count: t.expose('count', {
        type: 'BigInt',
        description: 'Predictions that the losses are means of, 1 or more.',
      }),
      seed: t.expose('seed', {
        type: 'BigInt',
        nullable: true,
        description: 'Seed of the random vectors; null when nothing was random.',
      }),
      parameters: t.expose('parameters', { type: 'JSON', description: 'Whatever else decides it.' }),
      engineVersion: t.exposeString('engineVersion', {
        description: 'Version of the engine that computed it.',
      }),
      createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was saved here.' }),
      diffVector: t.field({
        type: DiffVectorRef,
        description: 'The place whose vector it is.',
        resolve: (effect) => effect.diffVector,
      }),
    };
  },
});
