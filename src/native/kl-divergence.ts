import { addon } from './addon.ts';
import { compute, type ComputeOptions } from './compute.ts';
import { type Intervention, nativeIntervention } from './intervention.ts';
import { handleOf, type Model } from './model.ts';
import { flatten, type Tokens } from './tokens.ts';

export interface KlOptions extends ComputeOptions {
  /** Changes the finetuned model; with the same model twice, what the change does to it. */
  intervene?: Intervention | undefined;
}

export interface KlDivergence {
  /** [sequence][tokens]: KL(finetuned ‖ base) of the next-token distributions after each token, in nats. */
  perToken: Float64Array[];
  /** Ids compared: those both models have. */
  vocabulary: number;
}

/**
 * How far the finetuned model's predictions are from the base's, token by token.
 * @throws NativeError INVALID_ARGUMENT, PAIR_MISMATCH, CANCELLED, FILE_UNREADABLE, FILE_CHANGED, MODEL_CLOSED
 */
export async function klDivergence(
  base: Model,
  finetuned: Model,
  tokens: Tokens,
  options: KlOptions = {},
): Promise<KlDivergence> {
  const [baseHandle, finetunedHandle] = [handleOf(base, 'base'), handleOf(finetuned, 'finetuned')];
  const { ids, offsets } = flatten(tokens);
  const { kind, layer, vector, source } = nativeIntervention(options.intervene);
  return compute(options, (job, progress) =>
    addon().klDivergence(
      baseHandle,
      finetunedHandle,
      ids,
      offsets,
      kind,
      layer,
      vector,
      source,
      job,
      progress,
    ),
  );
}
