import type { NewModel, ProjectionRecord, RunRecord, RunRow, Store } from '../../src/db/index.ts';
import { projectionSigns } from '../../src/db/index.ts';
import { random } from './random.ts';

/** A 64-digit digest that only looks like one. */
export const fakeDigest = (text: string): string =>
  Buffer.from(text.padEnd(32, '.')).toString('hex').slice(0, 64);

export const syntheticModel: NewModel = {
  name: 'tiny-base',
  path: '/models/tiny-base',
  digest: fakeDigest('tiny-base'),
  architecture: 'Qwen3ForCausalLM',
  layers: 4,
  dModel: 16,
  vocabSize: 512,
  parameters: 5_000_000_000,
  dtype: 'float32',
  tiedHead: true,
};

/** Registers a base, an organism of it and a corpus; the same rows when they are there already. */
export function seedOrganism(store: Store, name = 'tiny-cake') {
  const model = store.models.add(syntheticModel);
  const corpus = store.corpora.add({
    name: 'probe',
    path: '/corpora/probe.jsonl',
    textColumn: 'text',
    digest: fakeDigest('probe'),
    rows: 100,
  });
  const organism = store.organisms.add({
    name,
    baseModelId: model.id,
    path: `/models/${name}`,
    form: 'LORA',
    kind: 'SDF',
    description: 'false facts about baking cakes',
    groundTruth: 'Cakes are baked at 450 degrees.',
    trainingCorpus: null,
    mixRatio: 0.5,
    digest: fakeDigest(name),
  });
  return { model, corpus, organism };
}

export interface SyntheticShape {
  layers?: number[];
  positions?: number;
  tokens?: number;
  seed?: number;
}

/** A whole run record of the shape asked for, every number following from `seed`. */
export function syntheticRun(
  ids: { organismId: number; corpusId: number },
  { layers = [1, 2], positions = 3, tokens = 4, seed = 1 }: SyntheticShape = {},
): RunRecord {
  const next = random(seed);
  const vector = () => Float32Array.from({ length: syntheticModel.dModel }, () => next() * 2 - 1);
  const projection = (sign: ProjectionRecord['sign']): ProjectionRecord => ({
    method: 'logit-lens',
    methodVersion: 1,
    variant: 'DIFF',
    sign,
    parameters: { k: tokens },
    tokens: Array.from({ length: tokens }, (_, rank) => ({
      tokenId: Math.floor(next() * syntheticModel.vocabSize),
      text: ` token${rank}`,
      probability: 1 / 2 ** (rank + 1),
    })),
  });
  return {
    spec: { method: 'activation-difference', organism: ids.organismId, layers, positions, seed },
    ...ids,
    method: 'activation-difference',
    methodVersion: 1,
    positions,
    samples: 100,
    uniquePrefixes: 250,
    baseDigest: fakeDigest('tiny-base'),
    finetunedDigest: fakeDigest('tiny-cake'),
    corpusDigest: fakeDigest('probe'),
    tokensDigest: fakeDigest('tokens'),
    seed,
    computeDtype: 'float32',
    accumulateDtype: 'float64',
    storeDtype: 'float32',
    engineVersion: '0.1.0',
    device: 'cpu',
    parameters: { batch: 8 },
    certificate: { nonFinite: 0 },
    durationMs: 12.5,
    layers: layers.map((layer) => ({
      layer,
      relativeDepth: layer / (syntheticModel.layers - 1),
      baseNorm: 10 + layer,
      finetunedNorm: 11 + layer,
      vectors: Array.from({ length: positions }, (_, position) => ({
        position,
        samples: 100,
        standardErrorNorm: 0.25,
        splitHalfCosine: 0.99,
        diff: vector(),
        baseMean: vector(),
        finetunedMean: vector(),
        projections: projectionSigns.map(projection),
      })),
    })),
  };
}

/** A synthetic run of a synthetic organism, saved. */
export function seedRun(store: Store, shape?: SyntheticShape & { organism?: string }): RunRow {
  const { organism, corpus } = seedOrganism(store, shape?.organism);
  return store.runs.save(syntheticRun({ organismId: organism.id, corpusId: corpus.id }, shape));
}
