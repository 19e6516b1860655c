import type { DivergenceRow, NewDivergence, RunRow, Store } from '../db/index.ts';
import type { JsonObject } from '../lib/canonical-json.ts';
import { klDivergence } from '../native/index.ts';
import { textsOf, withModelsOf, type WorkOptions } from './stored-run.ts';

export interface DivergenceRun {
  /** By position. */
  divergences: DivergenceRow[];
  reused: boolean;
}

/** KL(finetuned ‖ base) of the next-token distributions after each position of a run's texts; stored for all or for none. */
export async function measureDivergence(
  store: Store,
  run: RunRow,
  options: WorkOptions & { maxTexts?: number | undefined } = {},
): Promise<DivergenceRun> {
  const texts = Math.min(options.maxTexts ?? run.samples, run.samples);
  const parameters: JsonObject = { texts };
  const known = Array.from({ length: run.positions }, (_, position) =>
    store.divergences.find(run, position, parameters),
  ).filter((row) => row !== undefined);
  if (known.length === run.positions) return { divergences: known, reused: true };
  return withModelsOf(store, run, options, async (pair) => {
    const { signal, onPhase, onProgress } = options;
    onPhase?.('tokens');
    const { tokens } = await textsOf(store, run, pair, signal);
    onPhase?.('divergence');
    const { perToken, vocabulary } = await klDivergence(pair.base, pair.finetuned, tokens.slice(0, texts), {
      signal,
      onProgress,
    });
    const records = Array.from({ length: run.positions }, (_, position): NewDivergence => {
      const values = perToken.map((ofText) => ofText[position] ?? NaN);
      return {
        position,
        mean: values.reduce((sum, value) => sum + value, 0) / values.length,
        max: values.reduce((most, value) => Math.max(most, value), -Infinity),
        count: values.length,
        vocabulary,
        parameters,
      };
    });
    onPhase?.('save');
    return { divergences: store.divergences.save(run, records), reused: false };
  });
}
