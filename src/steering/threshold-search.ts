import { CodedError } from '../lib/coded-error.ts';
import { nonIncreasingFit } from './isotonic.ts';
import type { CoherenceJudge, Verdict } from './judge.ts';

export interface SearchSettings {
  /** Strengths from 0 to this are searched. */
  most: number;
  /** Halvings of the bracket for the first prompt, and for each later one. */
  decisions: number;
  laterDecisions: number;
  /** Halvings whose strengths are generated ahead, 2^lookahead − 1 in one batch. */
  lookahead: number;
  /** Texts a strength, and how often an unclear decision is tested again with as many more. */
  samples: number;
  retests: number;
  /** Share of the texts with a verdict that must be coherent. */
  requiredShare: number;
  /** Rows of one generation at most. */
  batch: number;
  /** Of the texts; tests again use the seeds after it. */
  seed: number;
}

/** As published (method.md §6.3), with tests again and a maximum of rows that holds. */
export const publishedSearch: SearchSettings = {
  most: 100,
  decisions: 12,
  laterDecisions: 6,
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
  /** [prompt], strongest that is still coherent; 0 where nothing is. */
  thresholds: number[];
  /** In the order they were first tried. */
  tested: Tested<Text>[];
  /** In words, what a reader should know. */
  warnings: string[];
}

/**
 * The strongest steering whose texts are still coherent, per probe prompt by bisection, then averaged: method.md §6.3. A later
 * prompt is searched in [0, 2 · first threshold], or in the first's bracket where that threshold is 0.
 *
 * Unlike there, strength 0 is tested first, as a control: where a judge refuses unsteered text, its verdicts say nothing about
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
  let expected = Array.from({ length: prompts }, (_, prompt) =>
    strengthsOf(prompt === 0 ? decisions : laterDecisions, settings),
  ).reduce((sum, count) => sum + count, 0);

  for (let prompt = 0; prompt < prompts; prompt++) {
    const bench = testBench(prompt, settings, generate, judge, options.signal);
    const report = () => options.onProgress?.(tested.length + bench.tested.length, expected);
    await bench.test([0], report);
    await bench.settle(0);
    const steps = prompt === 0 ? decisions : laterDecisions;
    const first = thresholds[0] ?? 0;
    let threshold = 0;
    if (bench.share(0) >= requiredShare) {
      const wide = prompt === 0 || first === 0;
      threshold = await bisect(bench, wide ? most : Math.min(most, 2 * first), steps, settings, report);
      controlled.push(threshold);
      if (threshold >= most * (1 - 2 ** -steps))
        warnings.push(`prompt ${prompt}: coherent up to the strongest steering tried, ${threshold}`);
    } else {
      expected -= strengthsOf(steps, settings) - 1;
      warnings.push(
        `prompt ${prompt}: of the unsteered texts, ${percent(bench.share(0))} are judged coherent and ${percent(requiredShare)} are required; it is left out of the mean`,
      );
    }
    thresholds.push(threshold);
    tested.push(...bench.tested);
    report();
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
          seed: seed + number * parts + part,
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
  };
  return bench;
}

const shareOf = ({ coherent, incoherent }: { coherent: number; incoherent: number }): number =>
  coherent + incoherent === 0 ? 0 : coherent / (coherent + incoherent);

async function bisect<Text extends { text: string }>(
  bench: TestBench<Text>,
  high: number,
  decisions: number,
  { lookahead, requiredShare }: SearchSettings,
  report: () => void,
): Promise<number> {
  let [low, end] = [0, high];
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
  return bench.threshold();
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
  const { most, requiredShare } = settings;
  if (!(Number.isFinite(most) && most > 0))
    throw new CodedError('INVALID_ARGUMENT', `most is ${most}; a strength above 0 is expected`);
  if (!(requiredShare > 0 && requiredShare <= 1))
    throw new CodedError(
      'INVALID_ARGUMENT',
      `requiredShare is ${requiredShare}; a share above 0 is expected`,
    );
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
