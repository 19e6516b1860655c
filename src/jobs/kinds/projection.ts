import { z } from 'zod';
import { defineKind } from './define-kind.ts';
import {
  firstPositions,
  layerSpec,
  modeSpec,
  positionsSpec,
  preparedOfRun,
  runKeySpec,
  runOf,
} from './run-spec.ts';

/** Reads vectors of a run by Patchscope. */
export const projectionKind = defineKind({
  name: 'projection',
  version: 1,
  spec: z.strictObject({
    run: runKeySpec,
    layer: layerSpec,
    positions: positionsSpec.optional(),
    top: z.number().int().min(1).max(1000).default(20),
    mode: modeSpec,
  }),
  prepare: preparedOfRun,
  async run({ store, options }, spec) {
    const { readByPatchscope } = await import('../../runs/patchscope.ts');
    const run = runOf(store, spec.run);
    const { run: _, positions = firstPositions(run), ...asked } = spec;
    const read = await readByPatchscope(store, run, { ...asked, positions, ...options });
    return {
      run: run.key,
      layer: read.layer.key,
      diffVectors: read.readings.map(({ vector }) => vector.key),
      warnings: [],
    };
  },
});
