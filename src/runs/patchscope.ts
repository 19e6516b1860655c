import type {
  DiffVectorRow,
  Mode,
  NewProjection,
  ProjectionRow,
  RunLayerRow,
  RunRow,
  Store,
} from '../db/index.ts';
import { canonicalJson, type JsonObject } from '../lib/canonical-json.ts';
import { keptOf, patchscope } from '../methods/index.ts';
import {
  finetunedNormOf,
  layerOf,
  numbersOf,
  vectorsOf,
  withModelsOf,
  type WorkOptions,
} from './stored-run.ts';

export interface PatchscopeRunOptions extends WorkOptions {
  layer?: number | undefined;
  /** All measured ones when left out. */
  positions?: readonly number[] | undefined;
  /** Tokens of each list that will be shown; at least 20 are kept. */
  top?: number | undefined;
  mode?: Mode | undefined;
}

export interface PatchscopeRun {
  layer: RunLayerRow;
  /** [position] */
  readings: { vector: DiffVectorRow; projections: ProjectionRow[] }[];
  /** The store had all of them already. */
  reused: boolean;
}

/**
 * Reads vectors of a run by Patchscope and stores every list, all or none; the scale to look at first is marked in each. What
 * the store has already is not computed again.
 */
export async function readByPatchscope(
  store: Store,
  run: RunRow,
  options: PatchscopeRunOptions = {},
): Promise<PatchscopeRun> {
  const layer = layerOf(store, run, options.layer);
  const vectors = vectorsOf(store, layer, options.positions);
  const parameters = patchscope.parameters.parse({ top: keptOf(options.top), mode: options.mode });
  const stored = (vector: DiffVectorRow) => storedReadings(store, vector, parameters);
  const missing = vectors.filter((vector) => stored(vector).length === 0);
  if (missing.length > 0) {
    const norm = finetunedNormOf(layer);
    await withModelsOf(store, run, options, async ({ base, finetuned }) => {
      options.onPhase?.('patchscope');
      const sets = missing.map((vector) => ({
        layer: layer.layer,
        finetunedNorm: norm,
        DIFF: numbersOf(store, vector),
        BASE: numbersOf(store, vector, 'BASE_MEAN'),
        FINETUNED: numbersOf(store, vector, 'FINETUNED_MEAN'),
      }));
      const { signal, onProgress } = options;
      const readings = await patchscope.project(sets, { base, finetuned, signal, onProgress }, parameters);
      options.onPhase?.('save');
      store.projections.save(
        missing.flatMap((vector, i) =>
          (readings[i] ?? []).map(
            ({
              scale = null,
              chosen = true,
              score = null,
              mode = 'EXACT',
              ...projection
            }): NewProjection => ({
              ...projection,
              scale,
              chosen,
              score,
              mode,
              vector,
              method: patchscope.name,
              methodVersion: patchscope.version,
              parameters,
            }),
          ),
        ),
      );
    });
  }
  return {
    layer,
    readings: vectors.map((vector) => ({ vector, projections: stored(vector) })),
    reused: missing.length === 0,
  };
}

function storedReadings(store: Store, vector: DiffVectorRow, parameters: JsonObject): ProjectionRow[] {
  const { name, version } = patchscope;
  const same = canonicalJson(parameters);
  return store.projections.ofDiffVector
    .page(vector, { method: name }, { first: 100_000 })
    .rows.filter((row) => row.methodVersion === version && canonicalJson(row.parameters) === same);
}
