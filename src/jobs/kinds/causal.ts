import { z } from 'zod';
import { defineKind, JobInputError } from './define-kind.ts';
import {
  corpusFile,
  corpusOf,
  firstPositions,
  layerSpec,
  modeSpec,
  positionsSpec,
  preparedOfRun,
  runKeySpec,
  runOf,
  seedSpec,
} from './run-spec.ts';

/** Exchanges or removes directions of a run's diffs in both models and measures their cross entropy. */
export const causalKind = defineKind({
  name: 'causal',
  version: 1,
  spec: z.strictObject({
    run: runKeySpec,
    layer: layerSpec,
    positions: positionsSpec.optional(),
    /** The organism's training corpus when left out. */
    corpus: z.string().optional(),
    maxTexts: z.number().int().min(1).max(100_000_000).default(1000),
    maxTokens: z.number().int().min(2).max(1_000_000).default(1024),
    random: z.number().int().min(0).max(10_000).default(64),
    randomDifferences: z.number().int().min(0).max(10_000).default(64),
    afterK: z.number().int().min(0).max(1_000_000).default(20),
    seed: seedSpec,
    mode: modeSpec,
  }),
  prepare(store, spec) {
    const prepared = preparedOfRun(store, spec);
    if (spec.corpus === undefined) {
      const { trainingCorpus } = store.organisms.getById(runOf(store, spec.run).organismId);
      if (trainingCorpus !== null) return prepared;
      throw new JobInputError(
        'INVALID',
        ['corpus'],
        'The organism of this run has no training corpus; name a corpus.',
      );
    }
    const corpus = corpusOf(store, spec.corpus);
    return { ...prepared, decisive: { corpusDigest: corpus.digest } };
  },
  async run({ store, roots, options }, spec) {
    const { measureCausalEffects } = await import('../../runs/causal.ts');
    const run = runOf(store, spec.run);
    const { run: _, corpus, positions = firstPositions(run), ...asked } = spec;
    const found = await measureCausalEffects(store, run, {
      ...asked,
      positions,
      corpus: corpus === undefined ? undefined : corpusFile(store, roots, corpus),
      ...options,
    });
    return {
      run: run.key,
      layer: found.layer.key,
      diffVectors: [...new Set(found.effects.map(({ diffVector }) => diffVector.key))],
      warnings: [],
    };
  },
});
