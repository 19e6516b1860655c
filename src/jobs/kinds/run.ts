import { z } from 'zod';
import { layerAtDepth } from '../../lib/layer-at-depth.ts';
import { distinctAscending } from '../../lib/distinct-ascending.ts';
import { defineKind, JobInputError } from './define-kind.ts';
import { corpusFile, corpusOf, modeSpec } from './run-spec.ts';

/** Measures an organism on a corpus: what `deltascope diff` does. */
export const runKind = defineKind({
  name: 'run',
  version: 1,
  spec: z.strictObject({
    organism: z.string(),
    corpus: z.string(),
    /** Decoder blocks from 0, ascending and each once; the middle one when none is named. */
    layers: z
      .union([
        z.literal('all'),
        z.literal('middle'),
        z.array(z.number().int().min(0).max(100_000)).min(1).max(1000),
      ])
      .transform((layers) => (typeof layers === 'string' ? layers : distinctAscending(layers)))
      .default('middle'),
    positions: z.number().int().min(1).max(65_536).default(10),
    maxSamples: z.number().int().min(1).max(100_000_000).default(10_000),
    top: z.number().int().min(1).max(1000).default(100),
    dtype: z.enum(['float32', 'bfloat16']).default('float32'),
    mode: modeSpec,
  }),
  prepare(store, { organism: name, corpus: corpusName, layers }) {
    const organism = store.organisms.find(name);
    if (!organism) throw new JobInputError('NOT_FOUND', ['organism'], `There is no organism "${name}" here.`);
    const corpus = corpusOf(store, corpusName);
    const base = store.models.findById(organism.baseModelId);
    if (!base) {
      const message = `The base model of organism "${name}" is not here, or not shared with you.`;
      throw new JobInputError('NOT_FOUND', ['organism'], message);
    }
    const beyond = typeof layers === 'string' ? undefined : layers.find((layer) => layer >= base.layers);
    if (beyond !== undefined)
      throw new JobInputError(
        'INVALID',
        ['layers'],
        `Base model "${base.name}" has ${base.layers} layers, 0 to ${base.layers - 1}; ${beyond} is none of them.`,
      );
    return {
      organismId: organism.id,
      decisive: { baseDigest: base.digest, finetunedDigest: organism.digest, corpusDigest: corpus.digest },
    };
  },
  async run({ store, roots, options }, spec) {
    const { measure } = await import('../../runs/measure.ts');
    const organism = store.organisms.get(spec.organism);
    const { organism: _, layers, ...asked } = spec;
    const { run, warnings } = await measure(store, organism, {
      ...asked,
      corpus: corpusFile(store, roots, spec.corpus),
      layers: (count) => {
        if (layers === 'all') return Array.from({ length: count }, (_, layer) => layer);
        return layers === 'middle' ? [layerAtDepth(0.5, count)] : layers;
      },
      ...options,
    });
    return { run: run.key, organism: organism.name, warnings };
  },
});
