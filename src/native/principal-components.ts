import { addon } from './addon.ts';
import { compute, type ComputeOptions } from './compute.ts';
import { handleOf, type Model } from './model.ts';
import { flatten, type Tokens, whole, wholeNumbers } from './tokens.ts';

export interface ComponentsOptions extends ComputeOptions {
  /** Decoder block, 0-based. */
  layer: number;
  positions: readonly number[];
  /** Directions kept at each position, 10 by default. */
  components?: number | undefined;
}

/** [position] each: the principal components of the samples' diffs x. */
export interface PrincipalComponents {
  positions: number[];
  samples: number[];
  /** Variance along each direction (unbiased), largest first; fewer than asked where the samples span fewer. */
  explained: Float64Array[];
  /** The whole variance: the trace of the covariance. */
  total: number[];
  /** (Σλ)² / Σλ²: how many directions share the variance. NaN when there is none. */
  participationRatio: number[];
  /** ‖mean x‖² / mean ‖x‖²: 1 when every sample is moved alike. NaN when nothing moves. */
  meanShare: number[];
  /** [components · dModel] unit vectors, the largest value of each positive. */
  directions: Float32Array[];
}

/**
 * How many directions explain what a finetune did to the samples (the mean is only one of them).
 * @throws NativeError INVALID_ARGUMENT, PAIR_MISMATCH, CANCELLED, FILE_UNREADABLE, FILE_CHANGED, MODEL_CLOSED
 */
export async function principalComponents(
  base: Model,
  finetuned: Model,
  tokens: Tokens,
  options: ComponentsOptions,
): Promise<PrincipalComponents> {
  const [baseHandle, finetunedHandle] = [handleOf(base, 'base'), handleOf(finetuned, 'finetuned')];
  const { layer, positions, components = Math.min(10, base.spec.dModel) } = options;
  const { ids, offsets } = flatten(tokens);
  whole('layer', layer, 0);
  whole('components', components, 0);
  const found = await compute(options, (job, progress) =>
    addon().principalComponents(
      baseHandle,
      finetunedHandle,
      ids,
      offsets,
      layer,
      wholeNumbers('positions', positions),
      components,
      job,
      progress,
    ),
  );
  return {
    positions: [...positions],
    samples: found.map(({ samples }) => samples),
    explained: found.map(({ explained }) => explained),
    total: found.map(({ total }) => total),
    participationRatio: found.map(({ participationRatio }) => participationRatio),
    meanShare: found.map(({ meanShare }) => meanShare),
    directions: found.map(({ directions }) => directions),
  };
}
