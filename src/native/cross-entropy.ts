import { addon } from './addon.ts';
import { compute, type ComputeOptions } from './compute.ts';
import { type Intervention, nativeIntervention } from './intervention.ts';
import type { Model } from './model.ts';
import { flatten, type Tokens } from './tokens.ts';

export interface CrossEntropyOptions extends ComputeOptions {
  intervene?: Intervention | undefined;
}

export interface CrossEntropy {
  /** Mean nats per predicted token over all texts; NaN when nothing is predicted. */
  mean: number;
  /** [sequence][tokens − 1]: nats of the token at t + 1 given those up to t. */
  perToken: Float64Array[];
}

/** See Model.crossEntropy. */
export async function crossEntropy(
  model: Model,
  tokens: Tokens,
  options: CrossEntropyOptions,
): Promise<CrossEntropy> {
  const { ids, offsets } = flatten(tokens);
  const { kind, layer, vector, source } = nativeIntervention(options.intervene);
  const handle = model._handle();
  const perToken = await compute(options, (job, progress) =>
    addon().crossEntropy(handle, ids, offsets, kind, layer, vector, source, job, progress),
  );
  let [sum, count] = [0, 0];
  for (const losses of perToken) {
    for (const loss of losses) sum += loss;
    count += losses.length;
  }
  return { mean: sum / count, perToken };
}
