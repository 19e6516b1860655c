import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { floats, readSafetensors } from '../test/harness/safetensors.ts';
import { script } from './folder.ts';
import type { OursAnswer, OursRequest } from './ours.ts';
import type { Pair } from './pair.ts';
import { ask } from './run-child.ts';

/** What products are computed from, ours and theirs. */
export const dtypes = ['float32', 'bfloat16'] as const;
export type Dtype = (typeof dtypes)[number];

/** What is the same for everyone who takes part. */
export interface Work {
  pair: Pair;
  layer: number;
  threads: number;
  /** A folder for the vectors they find. */
  folder: string;
}

export interface Measurement {
  seconds: number;
  cpuSeconds: number;
  peakBytes?: number | null;
  uniquePrefixes?: number;
  waves?: number;
  /** Which library multiplied. */
  backend?: string;
}

export interface Contender {
  name: string;
  kind: 'ours' | 'plain' | 'cut' | 'floor';
  dtype: Dtype;
  /** How many of the first texts it is given. */
  texts: number;
  measure: () => Promise<Measurement>;
  /** The mean difference that it found last, [tokens · d_model]; undefined for one that finds none. */
  vector?: () => Float32Array;
}

/** One request to bench/ours.ts. */
export const askOurs = (request: OursRequest): Promise<OursAnswer> =>
  ask(process.execPath, [script('ours.ts'), JSON.stringify(request)]);

/** The façade's `diff`, as a user calls it. */
export function ours(work: Work, dtype: Dtype, texts: number): Contender {
  const out = join(work.folder, `ours-${dtype}-${texts}.f32`);
  const request: OursRequest = {
    ...work.pair,
    layer: work.layer,
    threads: work.threads,
    limit: texts,
    dtype,
    out,
  };
  return {
    name: `ours, ${dtype}`,
    kind: 'ours',
    dtype,
    texts,
    measure: async () => {
      const { openedBytes, measured } = await askOurs(request);
      if (!measured) throw new Error('ours.ts measured nothing');
      return { ...measured, peakBytes: Math.max(openedBytes, measured.peakBytes) };
    },
    vector: () => new Float32Array(Uint8Array.from(readFileSync(out)).buffer),
  };
}

/** How transformers is used: all of it, or a model cut by hand. */
export interface Use {
  cut: boolean;
  dtype: Dtype;
  batch: number;
}

export function transformers(work: Work, python: string, use: Use, texts: number): Contender {
  const { cut, dtype, batch } = use;
  const { adapter, finetuned } = work.pair;
  const kind = cut ? 'cut' : 'plain';
  const out = join(work.folder, `${kind}-${dtype}.safetensors`);
  const args = [
    ...transformersArgs(work, use, texts),
    ...['--batch', String(batch), '--out', out],
    ...(adapter === undefined ? ['--finetuned', finetuned] : ['--adapter', adapter]),
  ];
  return {
    name: `transformers ${cut ? 'cut by hand' : 'plain'}, ${dtype}, batch ${batch}`,
    kind,
    dtype,
    texts,
    measure: () => ask(python, args, offline),
    vector: () => floats(readSafetensors(out).get('mean_diff')),
  };
}

export interface Tried {
  batch: number;
  seconds: number;
}

/** Seconds that the base alone, cut by hand, takes at each batch size. */
export async function sweepBatches(
  work: Work,
  python: string,
  dtype: Dtype,
  texts: number,
  sizes: readonly number[],
): Promise<Tried[]> {
  const args = [...transformersArgs(work, { cut: true, dtype }, texts), '--sweep', sizes.join(',')];
  return (await ask<{ sweep: Tried[] }>(python, args, offline)).sweep;
}

const transformersArgs = (
  { pair, layer, threads }: Work,
  { cut, dtype }: Omit<Use, 'batch'>,
  texts: number,
): string[] => [
  script('transformers_diff.py'),
  pair.base,
  pair.tokens,
  ...['--layer', String(layer), '--threads', String(threads), '--limit', String(texts)],
  ...['--dtype', dtype, ...(cut ? ['--cut'] : [])],
];

/** Models are folders here; nothing may be looked for elsewhere. */
const offline = { HF_HUB_OFFLINE: '1' };

/** The matrix products that the engine's answer needs, and nothing else. */
export const floor = (dtype: Dtype, texts: number, measure: () => Promise<Measurement>): Contender => ({
  name: `matrix products alone, ${dtype}`,
  kind: 'floor',
  dtype,
  texts,
  measure,
});
