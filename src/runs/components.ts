import type { PrincipalComponentsRow, RunLayerRow, RunRow, Store } from '../db/index.ts';
import type { JsonObject } from '../lib/canonical-json.ts';
import { principalComponents } from '../native/index.ts';
import { layerOf, textsOf, vectorsOf, withModelsOf, type WorkOptions } from './stored-run.ts';

export interface ComponentsRun {
  layer: RunLayerRow;
  /** [position] */
  components: PrincipalComponentsRow[];
  reused: boolean;
}

/** How many directions the diffs of a run's single texts spread along, at each position; stored for all or for none. */
export async function measureComponents(
  store: Store,
  run: RunRow,
  options: WorkOptions & {
    layer?: number | undefined;
    positions?: readonly number[] | undefined;
    /** Eigenvalues kept. */
    components?: number | undefined;
  } = {},
): Promise<ComponentsRun> {
  const layer = layerOf(store, run, options.layer);
  const vectors = vectorsOf(store, layer, options.positions);
  const components = Math.min(options.components ?? 10, run.dModel);
  const parameters: JsonObject = { components };
  const known = vectors.flatMap((vector) => store.components.find(vector, parameters) ?? []);
  if (known.length === vectors.length) return { layer, components: known, reused: true };
  return withModelsOf(store, run, options, async (pair) => {
    const { signal, onPhase, onProgress } = options;
    onPhase?.('tokens');
    const { tokens } = await textsOf(store, run, pair, signal);
    onPhase?.('components');
    const found = await principalComponents(pair.base, pair.finetuned, tokens, {
      layer: layer.layer,
      positions: vectors.map(({ position }) => position),
      components,
      signal,
      onProgress,
    });
    onPhase?.('save');
    const rows = store.transaction(() =>
      vectors.map((vector, i) =>
        store.components.save(vector, {
          samples: found.samples[i] ?? 0,
          explained: [...(found.explained[i] ?? [])],
          total: found.total[i] ?? NaN,
          participationRatio: finite(found.participationRatio[i]),
          meanShare: finite(found.meanShare[i]),
          parameters,
        }),
      ),
    );
    return { layer, components: rows, reused: false };
  });
}

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;
