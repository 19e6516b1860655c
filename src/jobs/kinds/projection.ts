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
  async run({ store, threads, signal, onPhase, onProgress }, spec) {
    const { readByPatchscope } = await import('../../runs/patchscope.ts');
    const run = runOf(store, spec.run);
    const { layer, positions = firstPositions(run), top, mode } = spec;
    const read = await readByPatchscope(store, run, {
      layer,
      positions,
      top,
      mode,
      threads,
      signal,
      onPhase,
      onProgress,
    });
    return {
      run: run.key,
      layer: read.layer.key,
      diffVectors: read.readings.map(({ vector }) => vector.key),
      warnings: [],
    };
  },
});
