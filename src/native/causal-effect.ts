import { addon } from './addon.ts';
import { compute, type ComputeOptions } from './compute.ts';
import { handleOf, type Model } from './model.ts';
import { flatten, invalid, type Tokens, whole } from './tokens.ts';
import { flattenVectors, type Vectors } from './vectors.ts';

/**
 * Which model is changed along a direction after a block, at every token: its component there becomes the other model's
 * ('baseToFinetuned' changes the finetuned model), or 0.
 */
export const interventions = ['baseToFinetuned', 'finetunedToBase', 'zeroFinetuned', 'zeroBase'] as const;
export type CausalIntervention = (typeof interventions)[number];

export interface CausalOptions extends ComputeOptions {
  /** Decoder block after which the models are changed, 0-based. */
  layer: number;
  /** Directions; their length does not matter, but must not be 0. */
  vectors: Vectors;
  /** All four by default. */
  interventions?: readonly CausalIntervention[] | undefined;
  /** Of the tokens' shape: predictions of tokens with 0 do not count. All count by default. */
  mask?: Tokens | undefined;
}

/** Surprise in nats, summed over texts by column: the position that a prediction is made from. */
export interface CausalEffect {
  /** Longest text − 1. */
  columns: number;
  /** [columns] predictions. */
  counts: Float64Array;
  /** [columns] of the models as they are. */
  base: Float64Array;
  finetuned: Float64Array;
  /** [vectors · columns] each, of those asked for. */
  intervened: Partial<Record<CausalIntervention, Float64Array>>;
}

/**
 * The causal effect of directions (arXiv 2510.13900): both models' cross entropy on texts, and what it becomes when one is
 * changed along each direction. Blocks up to the layer are computed once for all of them.
 * @throws NativeError INVALID_ARGUMENT, PAIR_MISMATCH, CANCELLED, FILE_UNREADABLE, FILE_CHANGED, MODEL_CLOSED
 */
export async function causalEffect(
  base: Model,
  finetuned: Model,
  tokens: Tokens,
  options: CausalOptions,
): Promise<CausalEffect> {
  const [baseHandle, finetunedHandle] = [handleOf(base, 'base'), handleOf(finetuned, 'finetuned')];
  const { layer, interventions: wanted = interventions, mask } = options;
  const { ids, offsets } = flatten(tokens);
  whole('layer', layer, 0);
  if (!Array.isArray(wanted) || wanted.length === 0) throw invalid('interventions must name at least one');
  const unknown = wanted.find((name) => !interventions.includes(name));
  if (unknown !== undefined)
    throw invalid(`intervention "${String(unknown)}" is none of ${interventions.join(', ')}`);
  const vectors = flattenVectors(options.vectors, base.spec.dModel);
  const masked = mask === undefined ? undefined : flatten(mask);
  if (masked && masked.offsets.some((offset, i) => offset !== offsets[i])) {
    throw invalid('mask must have one value a token');
  }
  const { columns, counts, intervened, ...own } = await compute(options, (job, progress) =>
    addon().causalEffect(
      baseHandle,
      finetunedHandle,
      ids,
      offsets,
      layer,
      vectors,
      Float64Array.from(wanted, (name) => interventions.indexOf(name)),
      masked?.ids ?? new Int32Array(),
      job,
      progress,
    ),
  );
  const each = (vectors.length / base.spec.dModel) * columns;
  return {
    columns,
    counts,
    base: own.base,
    finetuned: own.finetuned,
    intervened: Object.fromEntries(
      wanted.map((name, i) => [name, intervened.slice(i * each, (i + 1) * each)]),
    ),
  };
}
