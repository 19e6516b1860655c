import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openStore, type RunRecord, type Store } from '../../src/db/index.ts';
import { sha256 } from '../../src/lib/sha256.ts';
import { random } from '../../test/harness/random.ts';
import { syntheticCertificate } from '../../test/harness/synthetic-run.ts';
import { benchFolder } from '../folder.ts';
import { say } from '../run-child.ts';

export const dModel = 4096;
const layers = 32;
const organisms = 50;
/** Readings of every place: half promote, half suppress. */
const projections = 100;

export interface Dataset {
  file: string;
  /** Keys of the runs whose safetensors files have about 1 MiB and 16 MiB. */
  mebibyte: string;
  sixteen: string;
}

export interface RecordShape {
  organismId: number;
  corpusId: number;
  layers: number;
  positions: number;
  projections: number;
  seed: number;
  /** Numbers of a vector; as many as usual when left out. */
  width?: number;
  /** Tokens of a projection, its own one when left out. */
  tokens?: number;
}

/** A run record of this shape; every number follows from the seed. */
export function recordOf(shape: RecordShape): RunRecord {
  const next = random(shape.seed);
  const vector = () => Float32Array.from({ length: shape.width ?? dModel }, () => next() * 2 - 1);
  const digest = (name: string) => sha256(`${name} ${shape.seed}`);
  return {
    spec: { method: 'activation-difference', organism: shape.organismId, seed: shape.seed },
    organismId: shape.organismId,
    corpusId: shape.corpusId,
    method: 'activation-difference',
    methodVersion: 1,
    positions: shape.positions,
    samples: 1_000,
    uniquePrefixes: 900,
    baseDigest: digest('base'),
    finetunedDigest: digest('finetuned'),
    corpusDigest: digest('corpus'),
    tokensDigest: digest('tokens'),
    seed: shape.seed,
    computeDtype: 'float32',
    accumulateDtype: 'float64',
    storeDtype: 'float32',
    engineVersion: '0.3.0',
    device: 'cpu',
    parameters: {},
    certificate: syntheticCertificate,
    durationMs: 1_000,
    layers: Array.from({ length: shape.layers }, (_, layer) => ({
      layer,
      relativeDepth: layer / (layers - 1),
      baseNorm: 10 + layer,
      finetunedNorm: 11 + layer,
      vectors: Array.from({ length: shape.positions }, (_, position) => ({
        position,
        samples: 1_000,
        standardErrorNorm: 0.25,
        splitHalfCosine: 0.99,
        diff: vector(),
        baseMean: vector(),
        finetunedMean: vector(),
        projections: Array.from({ length: shape.projections }, (_, i) => ({
          method: 'patchscope',
          methodVersion: 1,
          variant: 'DIFF' as const,
          sign: i % 2 === 0 ? ('PROMOTED' as const) : ('SUPPRESSED' as const),
          scale: 1 + Math.floor(i / 2),
          chosen: i < 2,
          score: next(),
          parameters: { top: 1 },
          tokens: Array.from({ length: shape.tokens ?? 1 }, (_, rank) => ({
            tokenId: i + rank,
            text: ` token${rank === 0 ? i : Math.floor(1e5 * next())}`,
            probability: next(),
          })),
        })),
      })),
    })),
  };
}

/** What every bench store starts with. */
export function seedBase(store: Store, width = dModel) {
  const model = store.models.add({
    name: 'bench-base',
    path: '/models/bench-base',
    digest: sha256('bench-base'),
    architecture: 'Qwen3ForCausalLM',
    layers,
    dModel: width,
    vocabSize: 150_000,
    parameters: 8_000_000_000,
    dtype: 'bfloat16',
    tiedHead: false,
    visibility: 'PUBLIC',
  });
  const corpus = store.corpora.add({
    name: 'probe',
    path: '/corpora/probe.jsonl',
    textColumn: 'text',
    digest: sha256('probe'),
    rows: 1_000,
    visibility: 'PUBLIC',
  });
  const organism = (i: number) =>
    store.organisms.add({
      name: `organism-${String(i).padStart(2, '0')}`,
      baseModelId: model.id,
      path: `/models/organism-${i}`,
      form: 'LORA',
      kind: 'SDF',
      description: 'made for a bench',
      groundTruth: null,
      trainingCorpus: null,
      mixRatio: null,
      digest: sha256(`organism ${i}`),
      visibility: 'PUBLIC',
    });
  return { corpus, organism };
}

/** Fifty organisms of 32 layers of 100 projections, and two runs to download; made once in build/bench. */
export function openDataset(): Dataset {
  const folder = join(benchFolder, 'api-2');
  const file = join(folder, 'store.sqlite');
  if (!existsSync(file)) {
    say(`making ${organisms} organisms × ${layers} layers × ${projections} projections in ${folder} …`);
    const making = `${folder}.making`;
    rmSync(making, { recursive: true, force: true });
    mkdirSync(making, { recursive: true });
    const store = openStore(join(making, 'store.sqlite'));
    const { corpus, organism } = seedBase(store);
    for (let i = 0; i < organisms; i++) {
      const shape = { layers, positions: 1, projections, seed: i + 1 };
      store.runs.save(recordOf({ organismId: organism(i).id, corpusId: corpus.id, ...shape }));
    }
    for (const [name, shape] of Object.entries(downloads))
      store.runs.save(recordOf({ organismId: organism(Number(name)).id, corpusId: corpus.id, ...shape }));
    store.close();
    renameSync(making, folder);
  }
  openStore(file).close(); // brings one that was made before today's tables up to them
  const store = openStore(file, { readonly: true });
  const keyOf = (i: number) => store.runs.latestOfOrganism(store.organisms.get(`organism-${i}`))?.key ?? '';
  const dataset = { file, mebibyte: keyOf(90), sixteen: keyOf(91) };
  store.close();
  return dataset;
}

/** 3 × 16 KiB a place. */
const downloads = {
  90: { layers: 1, positions: 21, projections: 0, seed: 90 },
  91: { layers: 31, positions: 11, projections: 0, seed: 91 },
};
