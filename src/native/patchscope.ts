import { addon } from './addon.ts';
import { compute, type ComputeOptions } from './compute.ts';
import type { Model, Token } from './model.ts';
import { checkedMode, type Mode } from './mode.ts';
import { flatten, invalid, type Tokens, whole } from './tokens.ts';
import { flattenVectors, type Vectors } from './vectors.ts';

/** The scales of arXiv 2510.13900: 0.5 to 2 in tenths, then 3, 4, 5, 10, 20, and 40 to 200 in twenties. */
export const patchscopeScales: readonly number[] = Object.freeze([
  ...Array.from({ length: 16 }, (_, i) => (5 + i) / 10),
  ...[3, 4, 5, 10],
  ...Array.from({ length: 10 }, (_, i) => 20 * (i + 1)),
]);

/** Words of the three published identity prompts. */
const identityWords = [
  ['man', '1135', 'hello'],
  ['bear', '42', 'blue'],
  ['921', 'target', 'anna'],
] as const;

/** The texts of the identity prompts; their last token, "?", is the one that is patched. */
export const identityPrompts: readonly string[] = Object.freeze(
  identityWords.map((words) => [...words.map((word) => `${word} -> ${word}`), '?'].join('\n')),
);

const defaultIntersection = 16_384;

export interface PatchscopeOptions extends ComputeOptions {
  /** The decoder block whose output is replaced, 0-based: the one that the vectors come from. */
  layer: number;
  /** Each times each vector; negative ones read what a vector speaks against. The 30 published ones by default. */
  scales?: readonly number[] | undefined;
  /** Tokens kept of each list, 20 by default. */
  k?: number | undefined;
  /** A token counts only if every prompt has it among its first that many; 16,384, or the whole vocabulary, by default. */
  intersection?: number | undefined;
  /** L2 norm that every vector is rescaled to before the scales (the finetuned model's mean token norm); absent: left as it is. */
  norm?: number | undefined;
  /** Token ids whose last token is patched; the identity prompts by default. */
  prompts?: Tokens | undefined;
  /** 'compat' rounds vectors, scales and probabilities to bfloat16 as the published implementation does. */
  mode?: Mode | undefined;
}

/** See Model.patchscope. wholePrompts: by the slow way that the fast one is judged by. */
export async function patchscope(
  model: Model,
  vectors: Vectors,
  options: PatchscopeOptions,
  wholePrompts = false,
): Promise<Token[][][]> {
  const { vocabSize, dModel, layers } = model.spec;
  const { layer, scales = patchscopeScales, k = Math.min(20, vocabSize), norm } = options;
  const mode = checkedMode(options.mode);
  const intersection = options.intersection ?? Math.min(defaultIntersection, vocabSize);
  whole('layer', layer, 0, layers - 1);
  whole('k', k, 1, vocabSize);
  whole('intersection', intersection, 1, vocabSize);
  if (!Array.isArray(scales) || scales.length === 0) throw invalid('scales must be a list of numbers');
  const wrong = scales.findIndex((scale) => !Number.isFinite(Math.fround(scale as number)));
  if (wrong >= 0) throw invalid(`scales[${wrong}] is ${String(scales[wrong])}; a finite number is expected`);
  if (norm !== undefined && !(norm > 0 && Number.isFinite(Math.fround(norm)))) {
    throw invalid(`norm is ${String(norm)}; a finite number above 0 is expected`);
  }
  const flat = flattenVectors(vectors, dModel);
  const prompts = options.prompts ?? identityPrompts.map((prompt) => model.tokenizer.encode(prompt));
  const { ids, offsets } = flatten(prompts);
  const handle = model._handle();
  const text = model._decoder();
  const result = await compute(options, (job, progress) =>
    addon().patchscope(
      handle,
      flat,
      ids,
      offsets,
      layer,
      Float32Array.from(scales as readonly number[]),
      k,
      intersection,
      norm ?? 0,
      mode === 'compat',
      wholePrompts,
      job,
      progress,
    ),
  );
  let at = 0;
  const list = (length: number): Token[] =>
    Array.from({ length }, () => {
      const [id, probability] = [result.ids[at], result.probabilities[at]];
      at += 1;
      if (id === undefined || probability === undefined) throw new Error('the engine returned too few ids');
      return { id, text: text ? text([id]) : null, probability };
    });
  return Array.from({ length: flat.length / dModel }, (_, vector) =>
    Array.from({ length: scales.length }, (_, scale) =>
      list(result.lengths[vector * scales.length + scale] ?? 0),
    ),
  );
}
