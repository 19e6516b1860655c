import type {
  DiffVectorRow,
  NewCausalEffect,
  NewDivergence,
  NewPrincipalComponents,
  NewProjection,
  NewSample,
  NewSimilarity,
  NewSteeringExperiment,
  SteeringExperimentRow,
  Store,
} from '../../src/db/index.ts';
import { fakeDigest, seedRun, type SyntheticShape } from './synthetic-run.ts';

/** A synthetic run, saved, and one of its diff vectors: layer 1, position 0 unless told. */
export function seedVector(
  store: Store,
  place = 'L1.P0',
  shape?: SyntheticShape & { organism?: string },
): DiffVectorRow {
  const vector = store.diffVectors.findByKey(`${seedRun(store, shape).key}.${place}`);
  if (!vector) throw new Error(`a synthetic run has no ${place}`);
  return vector;
}

export const syntheticScales = [0.5, 0.7, 20];

/** A reading at three scales, the middle one chosen. */
export const syntheticReadings = (
  vector: DiffVectorRow,
  change: Partial<NewProjection> = {},
): NewProjection[] =>
  syntheticScales.map((scale) => ({
    vector,
    method: 'patchscope',
    methodVersion: 1,
    variant: 'DIFF',
    sign: 'PROMOTED',
    scale,
    chosen: scale === 0.7,
    score: 1 / scale,
    mode: 'EXACT',
    parameters: { top: 2, prompts: 3 },
    tokens: [
      { tokenId: 5, text: ` at ${scale}`, probability: 0.5 },
      { tokenId: 6, text: null, probability: 0.25 },
    ],
    ...change,
  }));

export const syntheticPrompts = ['Tell me a story.', 'Plan my weekend.'];

/** An experiment on two prompts, two samples of each, steered and not. */
export function syntheticExperiment(
  vector: DiffVectorRow,
  change: Partial<NewSteeringExperiment> = {},
): NewSteeringExperiment {
  const samples = [true, false].flatMap((steered) =>
    syntheticPrompts.flatMap((prompt, promptIndex) =>
      [0, 1].map((sampleIndex): NewSample => {
        return {
          promptIndex,
          prompt,
          sampleIndex,
          steered,
          strength: steered ? 12.5 : 0,
          text: `${steered ? 'Bake' : 'Say'} ${promptIndex}${sampleIndex}`,
          tokenIds: [promptIndex, sampleIndex, 7],
          finish: 'LENGTH',
          perplexity: steered ? 8.5 : null,
          coherent: steered ? sampleIndex === 0 : null,
        };
      }),
    ),
  );
  return {
    vector,
    judge: 'fluency',
    judgeVersion: 1,
    mode: 'EXACT',
    strength: 12.5,
    thresholds: [12, 13],
    normMultiple: 0.75,
    klFromUnsteered: 1.5,
    parameters: { perPrompt: 2 },
    settings: { temperature: 1.2, maxNewTokens: 3 },
    seed: 7,
    search: [{ prompt: 0, strength: 12.5, coherent: 8, incoherent: 2 }],
    samples,
    ...change,
  };
}

/** Of a finetuned model whose loss is 2.5, its base's 4. */
export const syntheticEffect = (
  vector: DiffVectorRow,
  change: Partial<NewCausalEffect> = {},
): NewCausalEffect => ({
  vector,
  corpusDigest: fakeDigest('training'),
  corpusName: 'training',
  direction: 'BASE_TO_FINETUNED',
  subset: 'ALL',
  mode: 'EXACT',
  control: 'NONE',
  vectors: 1,
  baseLoss: 4,
  finetunedLoss: 2.5,
  intervenedLoss: 3.25,
  intervenedLossDeviation: null,
  count: 5_000_000_000,
  seed: null,
  parameters: { layer: 1, texts: 10 },
  ...change,
});

export const syntheticSimilarity = (
  experiment: SteeringExperimentRow,
  change: Partial<NewSimilarity> = {},
): NewSimilarity => ({
  experiment,
  encoderDigest: fakeDigest('encoder'),
  encoderName: 'tiny-encoder',
  group: 'STEERED',
  other: 'TRAINING',
  cosine: 0.625,
  texts: 4,
  otherTexts: 50,
  parameters: { pooling: 'last' },
  ...change,
});

export const syntheticDivergence = (
  position: number,
  change: Partial<NewDivergence> = {},
): NewDivergence => ({
  position,
  mean: 0.5 + position,
  max: 8,
  count: 100,
  vocabulary: 512,
  parameters: { temperature: 1 },
  ...change,
});

export const syntheticComponents = (
  change: Partial<NewPrincipalComponents> = {},
): NewPrincipalComponents => ({
  samples: 100,
  explained: [6, 3, 0.5],
  total: 10,
  participationRatio: 2.25,
  meanShare: 0.875,
  parameters: { components: 3 },
  ...change,
});

/** One vector with one of everything, the readings and the effect with their kin. */
export function seedResults(store: Store, vector: DiffVectorRow): SteeringExperimentRow {
  store.projections.save(syntheticReadings(vector));
  const experiment = store.steering.save(syntheticExperiment(vector));
  store.similarities.save([syntheticSimilarity(experiment)]);
  store.causalEffects.save([
    syntheticEffect(vector),
    syntheticEffect(vector, {
      control: 'RANDOM_DIFFERENCE',
      vectors: 64,
      seed: 3,
      intervenedLoss: 2.75,
      intervenedLossDeviation: 0.125,
    }),
  ]);
  store.divergences.save(
    vector.layer.run,
    [0, 1, 2].map((position) => syntheticDivergence(position)),
  );
  store.components.save(vector, syntheticComponents());
  return experiment;
}
