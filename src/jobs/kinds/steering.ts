import { z } from 'zod';
import { laterDecisionsOf } from '../../steering/threshold-search.ts';
import { defineKind } from './define-kind.ts';
import {
  layerSpec,
  modeSpec,
  positionsSpec,
  preparedOfRun,
  runKeySpec,
  runOf,
  seedSpec,
} from './run-spec.ts';

const temperature = z.number().min(0).max(100);

/** Lets the finetuned model speak with diffs of a run added. */
export const steeringKind = defineKind({
  name: 'steering',
  version: 1,
  spec: z.strictObject({
    run: runKeySpec,
    layer: layerSpec,
    positions: positionsSpec.default([1]),
    /** A list of ours by name, or the prompts themselves. */
    prompts: z
      .union([z.enum(['constrained', 'open']), z.array(z.string().min(1).max(4000)).min(1).max(200)])
      .default('constrained'),
    maxPrompts: z.number().int().min(1).optional(),
    samples: z.number().int().min(1).max(10_000).default(5),
    tokens: z.number().int().min(1).max(100_000).default(512),
    temperature: temperature.default(1.1),
    plain: z.boolean().default(false),
    strength: z.number().min(0).max(1e6).optional(),
    searchMost: z.number().min(0).max(1e6).default(100),
    searchSteps: z.number().int().min(1).max(40).default(12),
    searchSamples: z.number().int().min(1).max(10_000).default(10),
    searchTokens: z.number().int().min(1).max(100_000).default(128),
    searchTemperature: temperature.default(1.2),
    seed: seedSpec,
    mode: modeSpec,
  }),
  prepare: preparedOfRun,
  async run({ store, options }, spec) {
    const { steer } = await import('../../runs/steer.ts');
    const { probes, promptLists } = await import('../../steering/prompts/index.ts');
    const run = runOf(store, spec.run);
    const { run: _, prompts, maxPrompts, searchMost, searchSteps, searchSamples, ...asked } = spec;
    const steered = await steer(store, run, {
      ...asked,
      prompts: (typeof prompts === 'string' ? promptLists[prompts] : prompts).slice(0, maxPrompts),
      probes,
      search: {
        most: searchMost,
        decisions: searchSteps,
        laterDecisions: laterDecisionsOf(searchSteps),
        samples: searchSamples,
      },
      ...options,
    });
    return {
      run: run.key,
      diffVectors: steered.map(({ experiment }) => experiment.diffVector.key),
      experiments: steered.map(({ experiment }) => experiment.key),
      warnings: [...new Set(steered.flatMap(({ warnings }) => warnings))],
    };
  },
});
