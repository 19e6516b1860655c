import { addon } from './addon.ts';
import { compute, type ComputeOptions } from './compute.ts';
import type { Model } from './model.ts';
import { flatten, invalid, type Tokens } from './tokens.ts';

export interface EmbedOptions extends ComputeOptions {
  /** The last token, which has seen the whole text (the default), or the mean of all. */
  pooling?: 'last' | 'mean' | undefined;
}

/** See Model.embed. */
export async function embed(model: Model, tokens: Tokens, options: EmbedOptions): Promise<Float32Array[]> {
  const { pooling = 'last' } = options;
  if (pooling !== 'last' && pooling !== 'mean') {
    throw invalid(`pooling is ${JSON.stringify(pooling)}; "last" or "mean" is expected`);
  }
  const { ids, offsets } = flatten(tokens);
  const handle = model._handle();
  return compute(options, (job, progress) => addon().embed(handle, ids, offsets, pooling, job, progress));
}
