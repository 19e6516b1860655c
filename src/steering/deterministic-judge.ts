import { CodedError } from '../lib/coded-error.ts';
import type { JsonObject } from '../lib/canonical-json.ts';
import { seededRandom } from '../lib/seeded-random.ts';
import type { CrossEntropy, Tokens } from '../native/index.ts';
import type { CoherenceJudge, Verdict } from './judge.ts';
import { repetition } from './repetition.ts';

/** A model that reads texts: as much of Model as is needed. */
export interface Reader {
  tokenizer: { encode(text: string): number[]; readonly bosId: number | null };
  crossEntropy(tokens: Tokens, options?: { signal?: AbortSignal | undefined }): Promise<CrossEntropy>;
}

export interface TextMeasures {
  /** Mean nats a token; null for a text of fewer than 8 tokens, whose mean says little. */
  surprise: number | null;
  /** The same by the base model alone; null only where there is nothing to predict. */
  baseSurprise: number | null;
  /** 0 to 1, see repetition.ts. */
  repetition: number;
}

/**
 * Two numbers of each text. Surprise is by the two unsteered models together, −log(½ p_base + ½ p_finetuned) a token: what either
 * would say is no surprise. The base alone takes every fact the finetune was taught for nonsense (docs/coherence.md).
 */
export async function measureTexts(
  { base, finetuned }: { base: Reader; finetuned: Reader },
  texts: readonly string[],
  options: { signal?: AbortSignal | undefined } = {},
): Promise<TextMeasures[]> {
  // The base's tokenizer for both, as everywhere.
  return measureTokens(
    { base, finetuned },
    texts.map((text) => base.tokenizer.encode(text)),
    options,
  );
}

async function measureTokens(
  { base, finetuned }: { base: Reader; finetuned: Reader },
  tokens: readonly number[][],
  options: { signal?: AbortSignal | undefined },
): Promise<TextMeasures[]> {
  const readable = tokens.filter(({ length }) => length >= 2);
  const byBase = readable.length === 0 ? [] : (await base.crossEntropy(readable, options)).perToken;
  const byFinetuned = readable.length === 0 ? [] : (await finetuned.crossEntropy(readable, options)).perToken;
  let at = 0;
  return tokens.map((ids) => {
    if (ids.length < 2) return { surprise: null, baseSurprise: null, repetition: 0 };
    const [own, other] = [byBase[at], byFinetuned[at]];
    at += 1;
    if (!own || !other) throw new Error('the engine returned too few losses');
    const joint = own.map(
      (nats, t) => Math.log(2) - Math.log(Math.exp(-nats) + Math.exp(-(other[t] ?? Infinity))),
    );
    return {
      // Beyond what exp can say, the smaller of the two is as good.
      surprise:
        ids.length < leastTokens
          ? null
          : mean(
              joint.map((nats, t) =>
                Number.isFinite(nats) ? nats : Math.min(own[t] ?? nats, other[t] ?? nats),
              ),
            ),
      baseSurprise: mean(own),
      repetition: repetition(ids),
    };
  });
}

/** Above either, a text is incoherent. */
export interface Limits extends JsonObject {
  surprise: number;
  repetition: number;
}

export interface Calibration {
  limits: Limits;
  /** Texts it rests on, and what was measured of them and of their spoilt copies. */
  texts: number;
  surprise: { median: number; high: number; spoilt: number };
  repetition: { median: number; high: number; spoilt: number };
}

/** How much of the way from ordinary text to spoilt text is still coherent. */
const tolerated = { surprise: 1 / 8, repetition: 1 / 2 };
const leastTexts = 8;
const leastTokens = 8;

/**
 * Limits for a pair of models, from ordinary texts of theirs (unsteered samples) and spoilt copies of the same texts, which
 * need no one to label them: tokens in random order, and the first quarter over and over. With m the median of a measure over the
 * texts, M over the spoilt copies, and q its 95 % quantile over the texts:
 *
 *   limit = max(q, m + share · (M − m))      share: ⅛ for surprise, ½ for repetition
 *
 * So a text may be as if one token in eight stood in random order, or as if half of it were a loop, which readers call moderate;
 * and no more than one ordinary text in twenty is above a limit, whatever the models.
 * @throws CodedError INVALID_ARGUMENT for fewer than 8 texts that can be read
 */
export async function calibrate(
  pair: { base: Reader; finetuned: Reader },
  texts: readonly string[],
  options: { seed?: number; signal?: AbortSignal | undefined } = {},
): Promise<Calibration> {
  const tokens = texts
    .map((text) => pair.base.tokenizer.encode(text))
    .filter(({ length }) => length >= leastTokens);
  if (tokens.length < leastTexts) {
    throw new CodedError(
      'INVALID_ARGUMENT',
      `the judge was given ${tokens.length} texts of ${leastTokens} tokens or more to learn from; it needs ${leastTexts}`,
    );
  }
  const random = seededRandom(options.seed ?? 0);
  const kept = pair.base.tokenizer.bosId === null ? 0 : 1; // what stands first in every text
  const shuffled = tokens.map((ids) => {
    const order = random.permutation(ids.length - kept).map((i) => ids[kept + i] as number);
    return [...ids.slice(0, kept), ...order];
  });
  const looped = tokens.map((ids) => ids.map((_, i) => ids[i % Math.max(1, ids.length >> 2)] as number));
  const ordinary = await measureTokens(pair, tokens, options);
  const disordered = await measureTokens(pair, shuffled, options);
  const surprises = (measures: readonly TextMeasures[]) => measures.map(({ surprise }) => surprise ?? NaN);
  const repetitions = ordinary.map((measures) => measures.repetition);
  const surprise = {
    median: quantile(surprises(ordinary), 0.5),
    high: quantile(surprises(ordinary), 0.95),
    spoilt: quantile(surprises(disordered), 0.5),
  };
  const repeated = {
    median: quantile(repetitions, 0.5),
    high: quantile(repetitions, 0.95),
    spoilt: quantile(looped.map(repetition), 0.5),
  };
  const limit = ({ median, high, spoilt }: typeof surprise, share: number) =>
    Math.max(high, median + share * (spoilt - median));
  return {
    texts: tokens.length,
    limits: {
      surprise: limit(surprise, tolerated.surprise),
      repetition: limit(repeated, tolerated.repetition),
    },
    surprise,
    repetition: repeated,
  };
}

/** What verdicts are kept under. The version is raised whenever the same text may be judged in another way. */
export const deterministicJudgeIdentity = { name: 'surprise-and-repetition', version: 1 } as const;

/** Coherent: at most so surprising to the pair, and at most so repetitive. Offline; the same verdict for the same text always. */
export function deterministicJudge(
  pair: { base: Reader; finetuned: Reader },
  limits: Limits,
): DeterministicJudge {
  const verdict = ({ surprise, repetition }: TextMeasures): Verdict =>
    surprise === null
      ? 'UNKNOWN'
      : surprise <= limits.surprise && repetition <= limits.repetition
        ? 'COHERENT'
        : 'INCOHERENT';
  return {
    ...deterministicJudgeIdentity,
    parameters: limits,
    verdict,
    judge: async (texts, options) => (await measureTexts(pair, texts, options)).map(verdict),
  };
}

export interface DeterministicJudge extends CoherenceJudge {
  verdict(measures: TextMeasures): Verdict;
}

const mean = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum / values.length;
};

/** Linear between the two nearest values. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)] ?? NaN, sorted[Math.ceil(at)] ?? NaN];
  return low + (at - Math.floor(at)) * (high - low);
}
