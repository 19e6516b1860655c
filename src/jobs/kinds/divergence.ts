import { z } from 'zod';
import { defineKind } from './define-kind.ts';
import { preparedOfRun, runKeySpec, runOf } from './run-spec.ts';

/** How far the two models' predictions are apart on a run's texts. */
export const divergenceKind = defineKind({
  name: 'divergence',
  version: 1,
  spec: z.strictObject({ run: runKeySpec, maxTexts: z.number().int().min(1).optional() }),
  prepare: preparedOfRun,
  async run({ store, options }, { run: key, maxTexts }) {
    const { measureDivergence } = await import('../../runs/divergence.ts');
    const run = runOf(store, key);
    await measureDivergence(store, run, { maxTexts, ...options });
    return { run: run.key, warnings: [] };
  },
});
