import { existsSync } from 'node:fs';
import type {
  DiffVectorRow,
  Mode,
  NewSample,
  RunRow,
  SteeringExperimentRow,
  SteeringSpec,
  Store,
} from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import type { JsonObject, JsonValue } from '../lib/canonical-json.ts';
import { derivedSeed } from '../lib/derived-seed.ts';
import { sha256 } from '../lib/sha256.ts';
import { type Generation, type GenerationSettings, klDivergence, roundToBfloat16 } from '../native/index.ts';
import {
  calibrate,
  type Calibration,
  type DeterministicJudge,
  deterministicJudge,
  deterministicJudgeIdentity,
  measureTexts,
} from '../steering/deterministic-judge.ts';
import type { CoherenceJudge, Verdict } from '../steering/judge.ts';
import {
  publishedSearch,
  type SearchSettings,
  searchThreshold,
  type Threshold,
} from '../steering/threshold-search.ts';
import { encodeChats, readChatTemplate } from '../tokenizer/index.ts';
import {
  finetunedNormOf,
  layerOf,
  type StoredPair,
  unitOf,
  vectorsOf,
  withModelsOf,
  type WorkOptions,
} from './stored-run.ts';

export interface SteerOptions extends WorkOptions {
  layer?: number | undefined;
  positions: readonly number[];
  /** What the model is asked in the experiment, and in the search. */
  prompts: readonly string[];
  probes: readonly string[];
  /** Texts of each prompt, steered and unsteered each. */
  samples: number;
  /** Prompts as they are, not in the base's chat template. */
  plain?: boolean | undefined;
  /** No search: this strength, in finetuned token norms. */
  strength?: number | undefined;
  search?: Partial<SearchSettings> | undefined;
  /** Tokens of a text at most, in the search and in the experiment. */
  searchTokens?: number | undefined;
  tokens?: number | undefined;
  searchTemperature?: number | undefined;
  temperature?: number | undefined;
  seed?: number | undefined;
  /** Unsteered texts of the probes that the deterministic judge learns from, each. */
  calibrationSamples?: number | undefined;
  /** COMPAT rounds the vector to bfloat16 where the published implementation does. */
  mode?: Mode | undefined;
  /** Another judge than the deterministic one. */
  judge?: CoherenceJudge | undefined;
}

export interface Steered {
  experiment: SteeringExperimentRow;
  reused: boolean;
  warnings: string[];
}

/** As published (method.md §6.3, §6.5). */
const published = {
  searchTokens: 128,
  tokens: 512,
  searchTemperature: 1.2,
  temperature: 1.1,
  calibrationSamples: 16,
};
/** Raised whenever the same parameters give other texts though the engine is the same. */
const procedureVersion = 2;
/** Prompts whose first steered text is measured for the divergence: whole distributions, so few. */
const divergenceTexts = 20;

/**
 * Steers the finetuned model by diffs of a run: strength · unit(diff) · finetuned token norm after the layer, at every token.
 * Finds the strongest coherent steering of each vector, lets the model answer prompts with it and without, and stores one
 * experiment a vector, whole or not at all. Asked again, the stored ones are returned.
 * @throws CodedError, NativeError, TokenizerError
 */
export async function steer(store: Store, run: RunRow, options: SteerOptions): Promise<Steered[]> {
  const layer = layerOf(store, run, options.layer);
  const vectors = vectorsOf(store, layer, options.positions);
  const { path } = store.models.getById(run.baseModelId);
  const plan = planOf(options, path);
  const templateIsGone = !options.plain && !existsSync(path);
  const found = new Map(
    vectors.flatMap((vector) => {
      const experiment = templateIsGone
        ? findInAnyTemplate(store, vector, plan.spec)
        : store.steering.find(vector, plan.spec);
      return experiment ? [[vector.key, { experiment, reused: true, warnings: warningsOf(experiment) }]] : [];
    }),
  );
  const missing = vectors.filter(({ key }) => !found.has(key));
  if (missing.length > 0) {
    await withModelsOf(store, run, options, async (pair) => {
      const lab = await openLab(pair, plan, options);
      for (const vector of missing) {
        const record = await experiment(store, lab, vector, finetunedNormOf(layer));
        options.onPhase?.('save');
        const saved = store.steering.save(record);
        found.set(vector.key, { experiment: saved, reused: false, warnings: warningsOf(saved) });
      }
    });
  }
  return vectors.map(({ key }) => found.get(key) as Steered);
}

/** The newest stored experiment that differs in nothing but the chat template, which only the base's folder could tell. */
function findInAnyTemplate(
  store: Store,
  vector: DiffVectorRow,
  spec: SteeringSpec,
): SteeringExperimentRow | undefined {
  const templates = store.steering.ofDiffVector
    .page(vector, {}, { first: 100_000 })
    .rows.map(({ parameters }) => parameters['template'])
    .filter((template) => typeof template === 'string'); // null could also be --plain
  return [...new Set(templates)]
    .map((template) => store.steering.find(vector, { ...spec, parameters: { ...spec.parameters, template } }))
    .filter((experiment) => experiment !== undefined)
    .sort((a, b) => b.id - a.id)[0];
}

/** Everything that decides an experiment, before any model is opened. */
interface Plan {
  spec: SteeringSpec;
  search: SearchSettings;
  prompts: string[];
  probes: string[];
  samples: number;
  tokens: { search: number; final: number };
  temperature: { search: number; final: number };
  calibrationSamples: number;
}

function planOf(options: SteerOptions, baseFolder: string): Plan {
  const { judge, strength, plain = false, samples, seed = 0 } = options;
  const [prompts, probes] = [distinct('prompts', options.prompts), distinct('probes', options.probes)];
  const search = { ...publishedSearch, ...options.search, seed };
  if (!Number.isSafeInteger(samples) || samples < 1)
    throw new CodedError('INVALID_ARGUMENT', `samples is ${samples}; a whole number from 1 is expected`);
  if (strength !== undefined && !Number.isFinite(strength))
    throw new CodedError('INVALID_ARGUMENT', `strength is ${strength}; a finite number is expected`);
  const tokens = {
    search: options.searchTokens ?? published.searchTokens,
    final: options.tokens ?? published.tokens,
  };
  const temperature = {
    search: options.searchTemperature ?? published.searchTemperature,
    final: options.temperature ?? published.temperature,
  };
  const calibrationSamples = options.calibrationSamples ?? published.calibrationSamples;
  const template = plain ? null : readChatTemplate(baseFolder);
  const parameters: JsonObject = {
    procedureVersion,
    samples,
    tokens: tokens.final,
    temperature: temperature.final,
    probes,
    template: template && sha256(template.source),
    ...(strength === undefined
      ? { search: { ...search }, searchTokens: tokens.search, searchTemperature: temperature.search }
      : { strength }),
    ...(judge
      ? { judge: judge.parameters }
      : { calibrationSamples, searchTokens: tokens.search, searchTemperature: temperature.search }),
  };
  return {
    spec: {
      judge: (judge ?? deterministicJudgeIdentity).name,
      judgeVersion: (judge ?? deterministicJudgeIdentity).version,
      mode: options.mode ?? 'EXACT',
      seed,
      parameters,
      prompts,
    },
    search,
    prompts,
    probes,
    samples,
    tokens,
    temperature,
    calibrationSamples,
  };
}

/** Two equal prompts would be one prompt with the same texts twice. */
function distinct(what: string, prompts: readonly string[]): string[] {
  const filled = [...new Set(prompts.map((prompt) => prompt.trim()).filter((prompt) => prompt !== ''))];
  if (filled.length > 0) return filled;
  throw new CodedError('INVALID_ARGUMENT', `there are no ${what}; at least one that is not blank is needed`);
}

/** The models, ready to be asked, and what all experiments of a call have in common. */
interface Lab extends Pick<SteerOptions, 'signal' | 'onPhase' | 'onProgress'> {
  pair: StoredPair;
  plan: Plan;
  strength: number | undefined;
  promptIds: number[][];
  probeIds: number[][];
  judge: CoherenceJudge;
  /** The bundled judge and what it learned; null where another one judges. */
  bundled: { judge: DeterministicJudge; calibration: Calibration } | null;
  unsteered: Text[];
}

interface Text {
  prompt: number;
  sample: number;
  text: string;
  ids: number[];
  finish: Generation['finish'];
  settings: GenerationSettings;
}

async function openLab(pair: StoredPair, plan: Plan, options: SteerOptions): Promise<Lab> {
  const { signal, onPhase, onProgress, strength } = options;
  const encode = (texts: readonly string[]): Promise<number[][]> =>
    options.plain
      ? Promise.resolve(texts.map((text) => pair.base.tokenizer.encode(text)))
      : encodeChats(
          pair.base.folder,
          pair.base.tokenizer,
          texts.map((content) => [{ role: 'user', content }]),
        );
  const [promptIds, probeIds] = [await encode(plan.prompts), await encode(plan.probes)];
  const lab = { pair, plan, strength, promptIds, probeIds, signal, onPhase, onProgress };
  let { judge } = options;
  let bundled: Lab['bundled'] = null;
  if (!judge) {
    onPhase?.('calibrate');
    const seed = derivedSeed(plan.spec.seed, 'calibration');
    const texts = await write(lab, {
      prompts: probeIds,
      samples: plan.calibrationSamples,
      stage: 'search',
      seed,
    });
    const calibration = await calibrate(
      pair,
      texts.map(({ text }) => text),
      { seed, signal },
    );
    bundled = { judge: deterministicJudge(pair, calibration.limits), calibration };
    judge = bundled.judge;
  }
  onPhase?.('samples');
  const unsteered = await write(lab, {
    prompts: promptIds,
    samples: plan.samples,
    stage: 'final',
    seed: derivedSeed(plan.spec.seed, 'samples'),
  });
  return { ...lab, judge, bundled, unsteered };
}

interface Writing {
  prompts: readonly number[][];
  samples: number;
  stage: 'search' | 'final';
  seed: number;
  steer?: { layer: number; vector: Float32Array; strength: number };
}

/** Texts by prompt, then sample, in generations of whole prompts and at most as many rows as the search's. */
async function write(
  { pair, plan, signal, onProgress }: Pick<Lab, 'pair' | 'plan' | 'signal' | 'onProgress'>,
  { prompts, samples, stage, seed, steer }: Writing,
): Promise<Text[]> {
  const rows = prompts.flatMap((ids, prompt) =>
    Array.from({ length: samples }, (_, sample) => ({ ids, prompt, sample })),
  );
  // Equal prompts are told apart by their order, so texts of one prompt must not be cut between two generations.
  const atOnce = Math.max(1, Math.floor(plan.search.batch / samples)) * samples;
  const texts: Text[] = [];
  for (let from = 0; from < rows.length; from += atOnce) {
    const some = rows.slice(from, from + atOnce);
    const generations = await pair.finetuned.generate(
      some.map(({ ids }) => ids),
      {
        ...(steer && { steer: { layer: steer.layer, vector: steer.vector, strengths: steer.strength } }),
        maxNewTokens: plan.tokens[stage],
        temperature: plan.temperature[stage],
        seed,
        signal,
      },
    );
    some.forEach(({ prompt, sample }, i) => texts.push({ prompt, sample, ...textOf(pair, generations[i]) }));
    onProgress?.({ done: texts.length, total: rows.length });
  }
  return texts;
}

/** With the base's tokenizer, which made the prompt, and without the token that ended it. */
function textOf(pair: StoredPair, generation: Generation | undefined): Omit<Text, 'prompt' | 'sample'> {
  if (!generation) throw new Error('the engine returned too few texts');
  const { ids, finish, settings } = generation;
  const said = finish === 'STOP' ? ids.slice(0, -1) : ids;
  return { text: pair.base.tokenizer.decode(said), ids, finish, settings };
}

async function experiment(
  store: Store,
  lab: Lab,
  row: DiffVectorRow,
  norm: number,
): ReturnType<typeof record> {
  const { plan, signal, onPhase, onProgress, pair } = lab;
  const unit = unitOf(store, row);
  const round = plan.spec.mode === 'COMPAT' ? roundToBfloat16 : (value: number) => value;
  const vector = unit.map((value) => round(round(value) * round(norm)));
  const { layer } = row.layer;
  let threshold: Threshold<{ text: string }> | null = null;
  if (lab.strength === undefined) {
    onPhase?.('search');
    threshold = await searchThreshold(
      plan.probes.length,
      plan.search,
      async ({ prompt, strengths, samples, seed }) => {
        const ids = lab.probeIds[prompt] ?? [];
        const generations = await pair.finetuned.generate(
          strengths.flatMap(() => Array.from({ length: samples }, () => ids)),
          {
            steer: {
              layer,
              vector,
              strengths: strengths.flatMap((strength) => Array.from({ length: samples }, () => strength)),
            },
            maxNewTokens: plan.tokens.search,
            temperature: plan.temperature.search,
            seed,
            signal,
          },
        );
        return strengths.map((_, s) =>
          generations.slice(s * samples, (s + 1) * samples).map((generation) => textOf(pair, generation)),
        );
      },
      lab.judge,
      { signal, onProgress: (done, total) => onProgress?.({ done, total: Math.max(done, total) }) },
    );
  }
  const strength = lab.strength ?? threshold?.strength ?? 0;
  onPhase?.('samples');
  const steered = await write(lab, {
    prompts: lab.promptIds,
    samples: plan.samples,
    stage: 'final',
    seed: derivedSeed(plan.spec.seed, 'samples'), // that of the unsteered ones, so strength 0 is the unsteered model
    steer: { layer, vector, strength },
  });
  onPhase?.('judge');
  return record(lab, row, { strength, threshold, steered, vector, norm });
}

interface Outcome {
  strength: number;
  threshold: Threshold<{ text: string }> | null;
  steered: Text[];
  vector: Float32Array;
  norm: number;
}

async function record(lab: Lab, row: DiffVectorRow, { strength, threshold, steered, vector, norm }: Outcome) {
  const { plan, pair, signal, bundled, unsteered } = lab;
  const { layer } = row.layer;
  const texts = [
    ...unsteered.map((text) => ({ ...text, steered: false })),
    ...steered.map((text) => ({ ...text, steered: true })),
  ];
  const measures = await measureTexts(
    pair,
    texts.map(({ text }) => text),
    { signal },
  );
  const judged = await verdicts(lab, texts, measures);
  const samples = texts.map((text, i): NewSample => {
    const perplexity = Math.exp(measures[i]?.baseSurprise ?? NaN);
    const verdict = judged[i];
    return {
      promptIndex: text.prompt,
      prompt: plan.prompts[text.prompt] ?? '',
      sampleIndex: text.sample,
      steered: text.steered,
      strength: text.steered ? strength : 0,
      text: text.text,
      tokenIds: text.ids,
      finish: text.finish,
      perplexity: Number.isFinite(perplexity) ? perplexity : null,
      coherent: verdict === undefined || verdict === 'UNKNOWN' ? null : verdict === 'COHERENT',
    };
  });
  const { prompts: _, ...spec } = plan.spec;
  const residual = await residualNorm(lab, layer);
  return {
    ...spec,
    vector: row,
    strength,
    thresholds: threshold?.thresholds ?? [],
    normMultiple: residual === null ? null : (strength * norm) / residual,
    klFromUnsteered: await divergence(lab, layer, vector, strength, steered),
    settings: settingsOf(steered[0]?.settings, bundled?.calibration ?? null),
    search: {
      warnings: [...(threshold?.warnings ?? []), ...edgeOf(strength, threshold)],
      tested: (threshold?.tested ?? []).map(({ texts: tried, ...tested }): JsonValue => ({
        ...tested,
        texts: tried.map(({ text, verdict }) => ({ text, verdict })),
      })),
    } satisfies JsonValue,
    samples,
  };
}

const edgeOf = (strength: number, threshold: Threshold | null): string[] =>
  threshold && strength === 0 ? ['the strength found is 0: steered texts are unsteered ones'] : [];

async function verdicts(
  { judge, bundled, signal }: Lab,
  texts: readonly { text: string }[],
  measures: Awaited<ReturnType<typeof measureTexts>>,
): Promise<Verdict[]> {
  if (bundled) return measures.map((measure) => bundled.judge.verdict(measure)); // it needs no second reading
  const filled = texts.filter(({ text }) => text.trim() !== '');
  const given =
    filled.length === 0
      ? []
      : await judge.judge(
          filled.map(({ text }) => text),
          { signal },
        );
  const byText = new Map(filled.map((text, i) => [text, given[i]]));
  return texts.map((text) => byText.get(text) ?? 'UNKNOWN');
}

/** What the texts were decoded with, apart from what differs between the stages, and what the judge went by. */
function settingsOf(settings: GenerationSettings | undefined, calibration: Calibration | null): JsonObject {
  return {
    decoding: settings ? { ...settings } : null,
    calibration: calibration && { ...calibration },
  };
}

/** Mean norm of the finetuned residual stream after a layer over the unsteered texts with their prompts. */
async function residualNorm(
  { pair, promptIds, unsteered, signal }: Lab,
  layer: number,
): Promise<number | null> {
  const tokens = unsteered
    .filter(({ sample }) => sample === 0)
    .slice(0, divergenceTexts)
    .map(({ prompt, ids }) => [...(promptIds[prompt] ?? []), ...ids]);
  const [residuals = []] = await pair.finetuned.residuals(tokens, { layers: [layer], signal });
  const { dModel } = pair.finetuned.spec;
  let [sum, count] = [0, 0];
  for (const sequence of residuals) {
    for (let at = 0; at < sequence.length; at += dModel) {
      sum += Math.hypot(...sequence.subarray(at, at + dModel));
      count += 1;
    }
  }
  return count > 0 && Number.isFinite(sum) && sum > 0 ? sum / count : null;
}

/** KL(steered ‖ unsteered) of the distributions that steered texts were drawn from at temperature 1, mean over their tokens. */
async function divergence(
  { pair, promptIds, signal }: Lab,
  layer: number,
  vector: Float32Array,
  strength: number,
  steered: readonly Text[],
): Promise<number | null> {
  if (strength === 0) return 0;
  const some = steered.filter(({ sample, ids }) => sample === 0 && ids.length > 0).slice(0, divergenceTexts);
  if (some.length === 0) return null;
  const { perToken } = await klDivergence(
    pair.finetuned,
    pair.finetuned,
    some.map(({ prompt, ids }) => [...(promptIds[prompt] ?? []), ...ids]),
    { intervene: { kind: 'add', layer, vector: vector.map((value) => value * strength) }, signal },
  );
  let [sum, count] = [0, 0];
  some.forEach(({ prompt, ids }, i) => {
    const first = (promptIds[prompt]?.length ?? 0) - 1; // the distribution that the first new token was drawn from
    for (let t = 0; t < ids.length; t++) {
      sum += perToken[i]?.[first + t] ?? NaN;
      count += 1;
    }
  });
  return Number.isFinite(sum) ? sum / count : null;
}

/** What a search said about itself. */
export function warningsOf({ search }: SteeringExperimentRow): string[] {
  const { warnings = [] } = JSON.parse(search) as { warnings?: string[] };
  return warnings;
}
