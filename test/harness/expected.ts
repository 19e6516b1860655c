import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectedOf } from './models.ts';
import { floats, readSafetensors, tokenRows } from './safetensors.ts';

export type Ranked = [id: number, text: string, probability: number];
export type ExpectedVariant = 'diff' | 'base' | 'ft';

/** What transformers and numpy computed for an organism (test/fixtures/expected/README.md). */
export interface ExpectedFacts {
  layers: number;
  d_model: number;
  n: number;
  middle_layer: number;
  scales: number[];
  patchscope_intersection_k: number;
  patchscope: Record<ExpectedVariant, Record<string, Record<string, Ranked[]>>>;
  steering: {
    prompt: string;
    position: number;
    alpha: number;
    prompt_ids: number[];
    new_ids: number[];
    text: string;
  }[];
  causal: {
    position: number;
    documents: number[][];
    ce_base: number;
    ce_ft: number;
    base_to_ft: number;
    ft_to_base: number;
    zero_ablate_ft: number;
  };
  kl_ft_base: number[];
}

export interface Expected {
  facts: ExpectedFacts;
  tokens: number[][];
  /** The mean vector of a variant at the middle layer. */
  vector(variant: ExpectedVariant, position: number): Float32Array;
  /** Mean token norm of the finetuned model at the middle layer. */
  finetunedNorm: number;
}

export function readExpected(name: string): Expected {
  const facts = JSON.parse(readFileSync(join(expectedOf(name), 'expected.json'), 'utf8')) as ExpectedFacts;
  const tensors = readSafetensors(join(expectedOf(name), 'expected.safetensors'));
  const { n, d_model: width, middle_layer: layer } = facts;
  const keys = { diff: 'mean_diff', base: 'base_mean', ft: 'ft_mean' } as const;
  return {
    facts,
    tokens: tokenRows(tensors.get('input_ids')),
    vector(variant, position) {
      const at = (layer * n + position) * width;
      return floats(tensors.get(keys[variant])).slice(at, at + width);
    },
    finetunedNorm: floats(tensors.get('ft_norm'))[layer]!,
  };
}
