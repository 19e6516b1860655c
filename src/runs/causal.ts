import {
  type CausalControl,
  type CausalDirection,
  type CausalEffectRow,
  type CausalEffectSpec,
  type CausalSubset,
  causalSubsets,
  type DiffVectorRow,
  type Mode,
  type NewCausalEffect,
  type RunLayerRow,
  type RunRow,
  type Store,
} from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import { corpusNameOf } from '../lib/corpus-name.ts';
import type { JsonObject } from '../lib/canonical-json.ts';
import { seededRandom } from '../lib/seeded-random.ts';
import { distinctAscending } from '../lib/distinct-ascending.ts';
import {
  causalEffect,
  type CausalEffect,
  type CausalIntervention,
  interventions,
  roundToBfloat16,
} from '../native/index.ts';
import { corpusDigestOf, selectTexts } from './corpus.ts';
import { columnSubset } from './causal-subsets.ts';
import {
  layerOf,
  type StoredPair,
  textsOf,
  unitOf,
  vectorsOf,
  withModelsOf,
  type WorkOptions,
} from './stored-run.ts';

export interface CausalRunOptions extends WorkOptions {
  layer?: number | undefined;
  positions: readonly number[];
  /** Texts whose cross entropy is measured: a file, or the organism's training corpus when left out. */
  corpus?: { name: string; file: string; textColumn: string } | undefined;
  maxTexts?: number | undefined;
  maxTokens?: number | undefined;
  /** Random directions and random differences of base activations to compare with; 0: none. */
  random?: number | undefined;
  randomDifferences?: number | undefined;
  seed?: number | undefined;
  /** AFTER_K counts the predictions made from tokens after this one. */
  afterK?: number | undefined;
  /** COMPAT leaves out the column that the published implementation does, p + 1, and rounds directions to bfloat16. */
  mode?: Mode | undefined;
}

/** method.md §9.1, §9.3, §9.4. */
const published = { maxTexts: 1000, maxTokens: 1024, random: 64, randomDifferences: 64, afterK: 20 };

const directions: Record<CausalIntervention, CausalDirection> = {
  baseToFinetuned: 'BASE_TO_FINETUNED',
  finetunedToBase: 'FINETUNED_TO_BASE',
  zeroFinetuned: 'ZERO_FINETUNED',
  zeroBase: 'ZERO_BASE',
};

export interface CausalRun {
  layer: RunLayerRow;
  effects: CausalEffectRow[];
  reused: boolean;
}

/**
 * What the directions of a run's diffs do to both models' cross entropy when they are exchanged or removed, beside random
 * directions and random differences of base activations; stored all or none. Asked again, the stored effects are returned.
 */
export async function measureCausalEffects(
  store: Store,
  run: RunRow,
  options: CausalRunOptions,
): Promise<CausalRun> {
  const layer = layerOf(store, run, options.layer);
  const vectors = vectorsOf(store, layer, options.positions);
  const plan = planOf(store, run, options);
  const { signal, onPhase, onProgress } = options;
  const specs = specsOf(plan, await corpusDigestOf(plan.file, signal));
  const known = vectors.flatMap((vector) => specs.map((spec) => store.causalEffects.find(vector, spec)));
  if (known.every((row) => row !== undefined)) return { layer, effects: known, reused: true };
  return withModelsOf(store, run, options, async (pair) => {
    onPhase?.('tokens');
    const { tokens, corpusDigest } = await selectTexts({
      file: plan.file,
      textColumn: plan.textColumn,
      tokenizer: pair.base.tokenizer,
      positions: plan.maxTokens,
      leastTokens: 2,
      maxSamples: plan.maxTexts,
      signal,
    });
    requirePredictions(plan, vectors, tokens);
    const controls: Record<CausalControl, Float32Array[]> = {
      NONE: vectors.map((vector) => unitOf(store, vector)),
      RANDOM: randomDirections(plan.random, run.dModel, plan.seed),
      RANDOM_DIFFERENCE: await randomDifferences(store, layer, pair, plan, signal),
    };
    const all = [...controls.NONE, ...controls.RANDOM, ...controls.RANDOM_DIFFERENCE];
    onPhase?.('causal');
    const effect = await causalEffect(pair.base, pair.finetuned, tokens, {
      layer: layer.layer,
      vectors: plan.mode === 'COMPAT' ? all.map((vector) => vector.map(roundToBfloat16)) : all,
      interventions,
      signal,
      onProgress,
    });
    const measured = specsOf(plan, corpusDigest);
    const records = vectors.flatMap((vector, v) =>
      measured.map((spec) => recordOf(effect, plan, spec, vector, v, vectors.length)),
    );
    onPhase?.('save');
    return { layer, effects: store.causalEffects.save(records), reused: false };
  });
}

interface Plan {
  name: string;
  file: string;
  textColumn: string;
  maxTexts: number;
  maxTokens: number;
  random: number;
  randomDifferences: number;
  seed: number;
  afterK: number;
  mode: Mode;
}

function planOf(store: Store, run: RunRow, options: CausalRunOptions): Plan {
  const { trainingCorpus, name } = store.organisms.getById(run.organismId);
  const { corpus, seed = 0, mode = 'EXACT' } = options;
  if (!corpus && trainingCorpus === null) {
    throw new CodedError(
      'NOT_FOUND',
      `organism "${name}" was registered without a training corpus; name a corpus, or register it again with --training-corpus`,
    );
  }
  const numbers = { ...published };
  for (const key of Object.keys(published) as (keyof typeof published)[])
    numbers[key] = options[key] ?? published[key];
  for (const [key, value] of Object.entries({ ...numbers, seed })) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new CodedError('INVALID_ARGUMENT', `${key} is ${value}; a whole number from 0 is expected`);
  }
  const from = corpus ?? {
    name: corpusNameOf(trainingCorpus ?? ''),
    file: trainingCorpus ?? '',
    textColumn: 'text',
  };
  return { ...from, ...numbers, seed, mode };
}

/** All that is measured at a place, controls that were not asked for left out. */
function specsOf(plan: Plan, corpusDigest: string): CausalEffectSpec[] {
  const parameters: JsonObject = {
    maxTexts: plan.maxTexts,
    maxTokens: plan.maxTokens,
    afterK: plan.afterK,
    textColumn: plan.textColumn,
  };
  const counts: [CausalControl, number][] = [
    ['NONE', 1],
    ['RANDOM', plan.random],
    ['RANDOM_DIFFERENCE', plan.randomDifferences],
  ];
  return interventions.flatMap((intervention) =>
    causalSubsets.flatMap((subset) =>
      counts.flatMap(([control, vectors]) =>
        vectors === 0
          ? []
          : [
              {
                corpusDigest,
                direction: directions[intervention],
                subset,
                mode: plan.mode,
                control,
                vectors,
                seed: control === 'NONE' ? null : plan.seed,
                parameters,
              },
            ],
      ),
    ),
  );
}

const countedColumns = (
  { afterK, mode }: Plan,
  subset: CausalSubset,
  { position }: DiffVectorRow,
  columns: number,
): boolean[] => columnSubset(subset, columns, { afterK, position, mode });

/** Before anything is computed. @throws CodedError CORPUS_UNUSABLE where nothing is left of a subset */
function requirePredictions(
  plan: Plan,
  vectors: readonly DiffVectorRow[],
  tokens: readonly (readonly number[])[],
): void {
  const columns = tokens.reduce((most, { length }) => Math.max(most, length - 1), 0);
  for (const vector of vectors) {
    for (const subset of causalSubsets) {
      if (countedColumns(plan, subset, vector, columns).some(Boolean)) continue;
      throw new CodedError(
        'CORPUS_UNUSABLE',
        `${plan.file}: no prediction is left of subset ${subset} at ${vector.key} (its texts have ${columns + 1} tokens at most); give longer texts or a smaller --after`,
      );
    }
  }
}

/** The losses of one vector, or of the mean over a control's, on the predictions that count. */
function recordOf(
  effect: CausalEffect,
  plan: Plan,
  spec: CausalEffectSpec,
  vector: DiffVectorRow,
  index: number,
  places: number,
): NewCausalEffect {
  const { columns, counts } = effect;
  const counted = countedColumns(plan, spec.subset, vector, columns);
  const count = sumOver(counts, counted);
  const intervention = interventions.find(
    (name) => directions[name] === spec.direction,
  ) as CausalIntervention;
  const sums = effect.intervened[intervention] ?? new Float64Array();
  const first = spec.control === 'NONE' ? index : spec.control === 'RANDOM' ? places : places + plan.random;
  const losses = Array.from({ length: spec.vectors }, (_, i) => {
    const from = (first + i) * columns;
    return sumOver(sums.subarray(from, from + columns), counted) / count;
  });
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  const squares = losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0);
  return {
    ...spec,
    vector,
    corpusName: plan.name,
    baseLoss: sumOver(effect.base, counted) / count,
    finetunedLoss: sumOver(effect.finetuned, counted) / count,
    intervenedLoss: mean,
    intervenedLossDeviation:
      spec.control === 'NONE' || losses.length < 2 ? null : Math.sqrt(squares / (losses.length - 1)),
    count,
  };
}

const sumOver = (values: Float64Array, counted: readonly boolean[]): number =>
  values.reduce((sum, value, column) => (counted[column] ? sum + value : sum), 0);

/** Gaussian vectors: directions without preference. */
function randomDirections(count: number, width: number, seed: number): Float32Array[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => Float32Array.from({ length: width }, () => random.normal()));
}

/**
 * Differences between base activations of random tokens after the layer: directions that the model does use. Tokens come from the
 * texts of the run, each with another beginning of its text, so that no two are the same activation; a BOS is none of them, since all
 * differences from it would be nearly one direction.
 */
async function randomDifferences(
  store: Store,
  layer: RunLayerRow,
  pair: StoredPair,
  { randomDifferences: count, seed }: Plan,
  signal: AbortSignal | undefined,
): Promise<Float32Array[]> {
  if (count === 0) return [];
  const { run, layer: block } = layer;
  const { tokens } = await textsOf(store, run, pair, signal);
  const { positions, dModel } = run;
  const first = pair.base.tokenizer.bosId === null ? 0 : 1;
  const chosen: { text: number; position: number }[] = [];
  const seen = new Set<string>();
  for (const at of seededRandom(seed).permutation(tokens.length * positions)) {
    const [text, position] = [Math.trunc(at / positions), at % positions];
    const prefix = tokens[text]?.slice(0, position + 1).join(' ') ?? '';
    if (position < first || seen.has(prefix)) continue;
    seen.add(prefix);
    chosen.push({ text, position });
    if (chosen.length === 2 * count) break;
  }
  if (chosen.length < 2 * count) {
    throw new CodedError(
      'INVALID_ARGUMENT',
      `${count} random differences need ${2 * count} different beginnings of texts, run ${run.key} has ${chosen.length}; ask for fewer`,
    );
  }
  const texts = distinctAscending(chosen.map(({ text }) => text));
  const [residuals = []] = await pair.base.residuals(
    texts.map((text) => tokens[text] ?? []),
    { layers: [block], signal },
  );
  const place = new Map(texts.map((text, i) => [text, i]));
  const activation = ({ text, position }: { text: number; position: number }): Float32Array =>
    residuals[place.get(text) ?? -1]?.subarray(position * dModel, (position + 1) * dModel) ??
    new Float32Array();
  return Array.from({ length: count }, (_, i) => {
    const [a, b] = [chosen[2 * i], chosen[2 * i + 1]].map((one) =>
      activation(one as (typeof chosen)[number]),
    );
    return (a as Float32Array).map((value, d) => value - ((b as Float32Array)[d] as number));
  });
}
