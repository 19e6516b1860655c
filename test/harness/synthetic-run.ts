import type {
  NewModel,
  ProjectionRecord,
  RunCertificate,
  RunRecord,
  RunRow,
  Store,
} from '../../src/db/index.ts';
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

/** A certificate with something in every field. */
export const syntheticCertificate: RunCertificate = {
  sharedWeights: true,
  adapter: {
    kind: 'LORA',
    parameters: 5_000_000_000,
    baseName: 'tiny/base',
    foreignTensors: 0,
    canary: { movedAt: 'layer 0', relativeChange: 0.125 },
    modules: [0, 1, 2].map((layer) => ({
      module: `layers.${layer}.mlp.up_proj`,
      changeNorm: layer + 0.5,
      replaced: false,
    })),
  },
  vocabularySizes: { base: 512, finetuned: 520 },
  tokenizer: {
    digest: fakeDigest('tokenizer'),
    finetunedDigest: fakeDigest('other-tokenizer'),
    equal: false,
    vocabularyEqual: true,
  },
  notFinite: { activations: 0, baseWeights: 3_000_000_000, finetunedWeights: 0 },
  selection: { rowsRead: 103, skippedEmpty: 1, skippedShort: 2 },
  unknownConfigKeys: { base: ['frobnicate'], finetuned: [] },
  warnings: [
    'the finetuned model has another tokenizer (another normalizer); the base model’s is used for both',
  ],
};

/** What the first version stored, but for the number of modules: as it stands in files of that time. */
export const firstCertificate =
  '{"sharedWeights":true,"notFinite":0,"adapter":{"parameters":155648,"modules":[{"module":"layers.0.self_attn.q_proj","changeNorm":2.15973395551516},{"module":"layers.0.self_attn.k_proj","changeNorm":1.5170635541247448}],"baseName":"../tiny-qwen3"},"vocabularySizes":{"base":2048,"finetuned":2048},"unknownConfigKeys":{"base":[],"finetuned":[]},"warnings":["the finetuned model has another tokenizer; the base model’s is used for both"],"selection":{"rowsRead":5,"skippedEmpty":0,"skippedShort":0}}';

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
    certificate: syntheticCertificate,
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
