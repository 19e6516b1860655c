import { CodedError } from '../lib/coded-error.ts';
import { derivedSeed } from '../lib/derived-seed.ts';
import { nonIncreasingFit } from './isotonic.ts';
import type { CoherenceJudge, Verdict } from './judge.ts';

export interface SearchSettings {
  /** Strengths from 0 to this are searched. */
  most: number;
  /** Halvings of the bracket for the first prompt, and for each later one. */
  decisions: number;
  laterDecisions: number;
  /** Where nothing is coherent, ever smaller strengths are tried until one is at most this. */
  finest: number;
  /** Halvings whose strengths are generated ahead, 2^lookahead − 1 in one batch. */
  lookahead: number;
  /** Texts a strength, and how often an unclear decision is tested again with as many more. */
  samples: number;
  retests: number;
  /** Share of the texts with a verdict that must be coherent. */
  requiredShare: number;
  /** Rows of one generation at most. */
  batch: number;
  /** Of the texts: a generation's follows from it, the prompt and how often its strengths were tested before. */
  seed: number;
}

/** Decisions of the later prompts, which begin where the first ended: half of its. */
export const laterDecisionsOf = (decisions: number): number => Math.max(1, decisions >> 1);

/** As published (method.md §6.3), with tests again, smaller strengths where all are too strong, and a maximum of rows that holds. */
export const publishedSearch: SearchSettings = {
  most: 100,
  decisions: 12,
  laterDecisions: 6,
  finest: 0.001,
  lookahead: 3,
  samples: 10,
  retests: 2,
  requiredShare: 0.75,
  batch: 32,
  seed: 0,
};

/** Texts for one prompt of the search, by index: [strength in the order asked][sample]. */
export type GenerateAt<Text extends { text: string }> = (request: {
  prompt: number;
  strengths: readonly number[];
  samples: number;
  seed: number;
}) => Promise<Text[][]>;

/** One strength that was tried on one prompt. */
export interface Tested<Text extends { text: string } = { text: string }> {
  prompt: number;
  strength: number;
  coherent: number;
  incoherent: number;
  unknown: number;
  /** Share of coherent texts by the fit over all strengths of the prompt. */
  fitted: number;
  texts: (Text & { verdict: Verdict })[];
}

export interface Threshold<Text extends { text: string } = { text: string }> {
  /** Mean of the thresholds of the prompts whose unsteered texts are coherent; 0 when there is none. */
  strength: number;
  /** [prompt], strongest that is still coherent; 0 where nothing that was tried is, and where the unsteered texts are not. */
  thresholds: number[];
  /** In the order they were first tried. */
  tested: Tested<Text>[];
  /** In words, what a reader should know. */
  warnings: string[];
}

/**
 * The strongest steering whose texts are still coherent, per probe prompt by bisection, then averaged: method.md §6.3. A later
 * prompt is searched in [0, 2 · first threshold], or as the first where that threshold is 0.
 *
 * Unlike there, no prompt is clipped by another: a bracket whose end is coherent is doubled until it is not, and where nothing in
 * it is coherent, strengths are halved on, down to the finest.
 *
 * Strength 0 is tested first, as a control: where a judge refuses unsteered text, its verdicts say nothing about
 * steering, and no strength is tried. A decision that is within a standard error of the required share is tested again with new
 * texts. And the threshold is the strongest tested one whose share is large enough by a non-increasing fit over all strengths
 * tried: coherence can only fall with strength, so every text bears on it, and one wrong turn is outvoted by its neighbours. A
 * monotone fit, not a logistic one, which would assume a slope that 4,096-fold finer strengths around one edge cannot show.
 * With a judge that never errs, the result is the bisection's.
 * @throws CodedError INVALID_ARGUMENT
 */
export async function searchThreshold<Text extends { text: string }>(
  prompts: number,
  settings: SearchSettings,
  generate: GenerateAt<Text>,
  judge: CoherenceJudge,
  options: { signal?: AbortSignal | undefined; onProgress?: (tested: number, expected: number) => void } = {},
): Promise<Threshold<Text>> {
  check(prompts, settings);
  const { most, decisions, laterDecisions, requiredShare } = settings;
  const tested: Tested<Text>[] = [];
  const warnings: string[] = [];
  const thresholds: number[] = [];
  const controlled: number[] = [];
  for (let prompt = 0; prompt < prompts; prompt++) {
    const bench = testBench(prompt, settings, generate, judge, options.signal);
    const wide = (thresholds[0] ?? 0) === 0;
    const steps = wide ? decisions : laterDecisions;
    const expected =
      tested.length +
      strengthsOf(steps, settings) +
      (prompts - prompt - 1) * strengthsOf(laterDecisions, settings);
    const report = () => options.onProgress?.(tested.length + bench.tested.length, expected);
    await bench.test([0], report);
    await bench.settle(0);
    let threshold = 0;
    if (bench.share(0) >= requiredShare) {
      const end = wide ? most : Math.min(most, 2 * (thresholds[0] ?? 0));
      threshold = await thresholdWithin(bench, end, steps, settings, report);
      controlled.push(threshold);
      if (threshold === 0)
        warnings.push(
          `prompt ${prompt}: coherent at none of the strengths tried, the smallest ${bench.smallest()}`,
        );
      if (threshold >= most * (1 - 2 ** -steps))
        warnings.push(`prompt ${prompt}: coherent up to the strongest steering tried, ${threshold}`);
    } else {
      warnings.push(
        `prompt ${prompt}: of the unsteered texts, ${percent(bench.share(0))} are judged coherent and ${percent(requiredShare)} are required; it is left out of the mean`,
      );
    }
    thresholds.push(threshold);
    report();
    tested.push(...bench.tested);
  }
  const strength = controlled.reduce((sum, value) => sum + value, 0) / Math.max(1, controlled.length);
  return { strength, thresholds, tested, warnings };
}

/** Strengths that `steps` decisions try at least, the control included. */
function strengthsOf(steps: number, { lookahead }: SearchSettings): number {
  let count = 1;
  for (let left = steps; left > 0; left -= lookahead) count += 2 ** Math.min(left, lookahead) - 1;
  return count;
}

/** Everything tried on one prompt. */
interface TestBench<Text extends { text: string }> {
  readonly tested: Tested<Text>[];
  /** Tries those strengths that were not tried yet. */
  test(strengths: readonly number[], report: () => void): Promise<void>;
  /** Tries a tested strength with more texts, while its decision is unclear and not all tests again are used up. */
  settle(strength: number): Promise<void>;
  /** Share of coherent texts among those with a verdict; 0 when none has one, as of texts that are all empty. */
  share(strength: number): number;
  /** The strongest tested one that is coherent enough by the fit. */
  threshold(): number;
  /** The smallest tested one above 0; Infinity when there is none. */
  smallest(): number;
  /** The smallest tested one above a strength. */
  next(strength: number): number;
}

function testBench<Text extends { text: string }>(
  prompt: number,
  { samples, batch, retests, requiredShare, seed }: SearchSettings,
  generate: GenerateAt<Text>,
  judge: CoherenceJudge,
  signal: AbortSignal | undefined,
): TestBench<Text> {
  const byStrength = new Map<number, Tested<Text>>();
  const rounds = new Map<number, number>();
  const at = (strength: number): Tested<Text> => {
    const known = byStrength.get(strength);
    if (!known) throw new Error(`strength ${strength} was not tested`);
    return known;
  };
  // A strength's texts stay in one generation, which tells equal prompts apart by their order, or have seeds of their own.
  const parts = Math.ceil(samples / batch);
  const strengthsAtOnce = Math.max(1, Math.floor(batch / samples));

  async function round(strengths: readonly number[], number: number): Promise<void> {
    for (let part = 0; part < parts; part++) {
      const count = Math.min(batch, samples - part * batch);
      for (let from = 0; from < strengths.length; from += strengthsAtOnce) {
        const some = strengths.slice(from, from + strengthsAtOnce);
        signal?.throwIfAborted();
        const texts = await generate({
          prompt,
          strengths: some,
          samples: count,
          seed: derivedSeed(seed, 'search', prompt, number, part),
        });
        const verdicts = await judgeNonEmpty(judge, texts.flat(), signal);
        some.forEach((strength, s) => {
          const own = verdicts.slice(s * count, (s + 1) * count);
          const entry = at(strength);
          entry.texts.push(...own);
          entry.coherent += own.filter(({ verdict }) => verdict === 'COHERENT').length;
          entry.incoherent += own.filter(({ verdict }) => verdict === 'INCOHERENT').length;
          entry.unknown += own.filter(({ verdict }) => verdict === 'UNKNOWN').length;
        });
      }
    }
  }

  const bench: TestBench<Text> = {
    tested: [],
    async test(strengths, report) {
      const fresh = [...new Set(strengths)].filter((strength) => !byStrength.has(strength));
      if (fresh.length === 0) return;
      for (const strength of fresh) {
        const entry = { prompt, strength, coherent: 0, incoherent: 0, unknown: 0, fitted: 0, texts: [] };
        byStrength.set(strength, entry);
        rounds.set(strength, 1);
        bench.tested.push(entry);
      }
      await round(fresh, 0);
      report();
    },
    async settle(strength) {
      for (let done = rounds.get(strength) ?? 0; done <= retests; done++) {
        const { coherent, incoherent } = at(strength);
        if (!isUnclear(coherent, coherent + incoherent, requiredShare)) return;
        await round([strength], done);
        rounds.set(strength, done + 1);
      }
    },
    share(strength) {
      return shareOf(at(strength));
    },
    threshold() {
      const rising = [...bench.tested].sort((a, b) => a.strength - b.strength);
      const fit = nonIncreasingFit(
        rising.map(shareOf),
        rising.map(({ coherent, incoherent, unknown }) => coherent + incoherent || unknown),
      );
      rising.forEach((entry, i) => (entry.fitted = fit[i] ?? 0));
      // Sums of fractions may fall short of what they stand for by a rounding.
      return rising.findLast(({ fitted }) => fitted >= requiredShare - 1e-12)?.strength ?? 0;
    },
    smallest: () => bench.next(0),
    next: (above) =>
      Math.min(...bench.tested.map(({ strength }) => strength).filter((strength) => strength > above)),
  };
  return bench;
}

const shareOf = ({ coherent, incoherent }: { coherent: number; incoherent: number }): number =>
  coherent + incoherent === 0 ? 0 : coherent / (coherent + incoherent);

/** Of one prompt: bisection of [0, end], which is widened where all of it is coherent, and left downwards where nothing is. */
async function thresholdWithin<Text extends { text: string }>(
  bench: TestBench<Text>,
  end: number,
  decisions: number,
  settings: SearchSettings,
  report: () => void,
): Promise<number> {
  const low = await bisect(bench, [0, end], decisions, settings, report);
  if (end < settings.most && low >= end * (1 - 2 ** -decisions)) {
    const wider = await widen(bench, end, settings, report);
    if (wider) await bisect(bench, wider, decisions, settings, report);
  }
  if (bench.threshold() === 0) {
    await descend(bench, settings, report);
    const found = bench.threshold();
    // As fine a share of it as one batch of halvings tells.
    if (found > 0) await bisect(bench, [found, bench.next(found)], settings.lookahead, settings, report);
  }
  return bench.threshold();
}

/** Doubles a strength while it is coherent. @returns the bracket that its threshold is in; undefined when `end` is not coherent */
async function widen<Text extends { text: string }>(
  bench: TestBench<Text>,
  end: number,
  { most, requiredShare }: SearchSettings,
  report: () => void,
): Promise<[number, number] | undefined> {
  let bracket: [number, number] | undefined;
  for (let strength = end; strength < most; strength *= 2) {
    await bench.test([strength], report);
    await bench.settle(strength);
    if (bench.share(strength) < requiredShare) break;
    bracket = [strength, Math.min(most, 2 * strength)];
  }
  return bracket;
}

/** Halves the smallest strength tried until one is coherent or at most the finest. */
async function descend<Text extends { text: string }>(
  bench: TestBench<Text>,
  { lookahead, finest }: SearchSettings,
  report: () => void,
): Promise<void> {
  while (bench.threshold() === 0 && bench.smallest() > finest) {
    const from = bench.smallest();
    const halves = Array.from({ length: lookahead }, (_, i) => from / 2 ** (i + 1));
    const needed = halves.filter((strength) => 2 * strength > finest);
    await bench.test(needed, report);
    for (const strength of needed) await bench.settle(strength);
  }
}

/** @returns the strongest strength of a chain of decisions that was coherent, the lower end when none was */
async function bisect<Text extends { text: string }>(
  bench: TestBench<Text>,
  bracket: readonly [number, number],
  decisions: number,
  { lookahead, requiredShare }: SearchSettings,
  report: () => void,
): Promise<number> {
  let [low, end] = bracket;
  for (let left = decisions; left > 0; left -= lookahead) {
    const ahead = Math.min(left, lookahead);
    await bench.test(midpoints(low, end, ahead), report);
    for (let step = 0; step < ahead; step++) {
      const middle = (low + end) / 2;
      await bench.settle(middle);
      if (bench.share(middle) >= requiredShare) low = middle;
      else end = middle;
    }
  }
  return low;
}

/** All that `depth` halvings of [low, high] can come to. */
function midpoints(low: number, high: number, depth: number): number[] {
  if (depth === 0) return [];
  const middle = (low + high) / 2;
  return [middle, ...midpoints(low, middle, depth - 1), ...midpoints(middle, high, depth - 1)];
}

/** Whether the required share is within a standard error of the one found (Wilson's interval). */
export function isUnclear(coherent: number, known: number, required: number): boolean {
  if (known === 0) return false;
  const centre = (coherent + 0.5) / (known + 1);
  const half = Math.sqrt((coherent * (known - coherent)) / known + 0.25) / (known + 1);
  return Math.abs(centre - required) < half - 1e-12;
}

async function judgeNonEmpty<Text extends { text: string }>(
  judge: CoherenceJudge,
  texts: readonly Text[],
  signal: AbortSignal | undefined,
): Promise<(Text & { verdict: Verdict })[]> {
  const full = texts.filter(({ text }) => text.trim() !== '');
  const verdicts =
    full.length === 0
      ? []
      : await judge.judge(
          full.map(({ text }) => text),
          { signal },
        );
  if (verdicts.length !== full.length) {
    throw new CodedError(
      'JUDGE_FAILED',
      `judge "${judge.name}" gave ${verdicts.length} verdicts for ${full.length} texts`,
    );
  }
  const of = new Map(full.map((text, i) => [text, verdicts[i]]));
  return texts.map((text) => ({ ...text, verdict: of.get(text) ?? 'UNKNOWN' }));
}

function check(prompts: number, settings: SearchSettings): void {
  const wholes = { prompts, ...settings };
  for (const [name, least, greatest] of [
    ['prompts', 1, 1000],
    ['decisions', 1, 40],
    ['laterDecisions', 1, 40],
    ['lookahead', 1, 8],
    ['samples', 1, 10_000],
    ['retests', 0, 1000],
    ['batch', 1, 10_000],
    ['seed', 0, 2 ** 31],
  ] as const) {
    const value = wholes[name];
    if (!Number.isSafeInteger(value) || value < least || value > greatest)
      throw new CodedError(
        'INVALID_ARGUMENT',
        `${name} is ${value}; a whole number from ${least} to ${greatest} is expected`,
      );
  }
  const { most, finest, requiredShare } = settings;
  if (!(finest > 0))
    throw new CodedError('INVALID_ARGUMENT', `finest is ${finest}; a strength above 0 is expected`);
  if (!(Number.isFinite(most) && most > 0))
    throw new CodedError('INVALID_ARGUMENT', `most is ${most}; a strength above 0 is expected`);
  if (!(requiredShare > 0 && requiredShare <= 1))
    throw new CodedError(
      'INVALID_ARGUMENT',
      `requiredShare is ${requiredShare}; a share above 0 is expected`,
    );
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
