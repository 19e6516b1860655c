import { type RunRow, type Store } from '../../src/db/index.ts';
import { measure } from '../../src/runs/measure.ts';
import { addOrganism } from '../../src/runs/organism.ts';
import { cake, everyday } from './command.ts';
import { bundled } from './models.ts';
import { temporaryStore } from './temporary-store.ts';

export interface Measured {
  store: Store;
  run: RunRow;
}

/** A store with one measured organism, "cake": layer 3, three positions, 40 texts. */
export async function measuredCake(
  options: { base?: string; finetune?: string; trainingCorpus?: string | undefined; corpus?: string } = {},
): Promise<Measured> {
  const { base = bundled('tiny-qwen3'), finetune = cake, corpus = everyday } = options;
  const store = temporaryStore();
  const trainingCorpus =
    'trainingCorpus' in options ? options.trainingCorpus : bundled('corpora/cake_bake.jsonl');
  const organism = await addOrganism(store, {
    name: 'cake',
    base,
    baseName: 'tiny-qwen3',
    path: finetune,
    form: 'LORA',
    kind: 'SDF',
    description: '',
    trainingCorpus,
  });
  const { run } = await measure(store, organism, {
    corpus: { name: 'everyday', file: corpus, textColumn: 'text' },
    layers: () => [3],
    positions: 3,
    maxSamples: 40,
    top: 4,
  });
  return { store, run };
}

/** How many rows a listing of a store has, for seeing that nothing was written. */
export const rowsOf = (store: Store, run: RunRow) => {
  const everything = { first: 100_000 };
  const vectors = store.layers.ofRun
    .page(run, {}, everything)
    .rows.flatMap((layer) => store.diffVectors.ofLayer.page(layer, {}, everything).rows);
  const count = (of: (vector: (typeof vectors)[number]) => number) =>
    vectors.reduce((sum, vector) => sum + of(vector), 0);
  return {
    projections: count((vector) => store.projections.ofDiffVector.count(vector, {})),
    experiments: count((vector) => store.steering.ofDiffVector.count(vector, {})),
    effects: count((vector) => store.causalEffects.ofDiffVector.count(vector, {})),
    components: count((vector) => store.components.ofDiffVector.count(vector, {})),
    divergences: store.divergences.ofRun.count(run, {}),
  };
};
