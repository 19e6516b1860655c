import { z } from 'zod';
import { defineKind } from './define-kind.ts';
import { firstPositions, layerSpec, positionsSpec, preparedOfRun, runKeySpec, runOf } from './run-spec.ts';

/** How many directions the differences of a run's single texts spread along. */
export const componentsKind = defineKind({
  name: 'components',
  version: 1,
  spec: z.strictObject({
    run: runKeySpec,
    layer: layerSpec,
    positions: positionsSpec.optional(),
    components: z.number().int().min(1).max(1000).default(10),
  }),
  prepare: preparedOfRun,
  async run({ store, options }, spec) {
    const { measureComponents } = await import('../../runs/components.ts');
    const run = runOf(store, spec.run);
    const { run: _, positions = firstPositions(run), ...asked } = spec;
    const found = await measureComponents(store, run, { ...asked, positions, ...options });
    return {
      run: run.key,
      layer: found.layer.key,
      diffVectors: found.components.map(({ diffVector }) => diffVector.key),
      warnings: [],
    };
  },
});
