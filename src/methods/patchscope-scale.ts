import type { ReadToken } from './define-method.ts';

/** What a vector says at one scale: its strongest tokens. */
export interface ScaleReading {
  scale: number;
  tokens: ReadToken[];
}

export interface ScaleChoice {
  /** Of the reading to look at first; null when no reading says anything. */
  index: number | null;
  /** [scale], 0 to 1, comparable within one vector only. */
  scores: number[];
}

/** One token counts at most this much: a list has to be carried by at least four. */
const mostOfOneToken = 1 / 4;

/**
 * Chooses the scale to read a vector at, from its token lists alone (an LLM chooses in arXiv 2510.13900). With p_s(t) the
 * probability of token t in the list of scale s, 0 for what is not in it and for echoes of the prompt, and q_s = p_s / Σ p_s:
 *
 *   score(s) = d(s) · Σ_r w_r Σ_t min(p_s(t), p_r(t), ¼)        w_r: the share of the scales' logarithmic range nearest to r
 *   d(s)     = 1 − Σ_t min(q_s(t), b_s(t))                       b_s: the baseline's list at the same scale, as q; d = 1 without one
 *
 * The scale whose list is most at the centre of all lists. Too small, the vector only disturbs what the prompt would say; too
 * large, the residual stream points nowhere else and later blocks say what they say to any input of that direction: both ends
 * have tokens of their own, and what the vector stands for is what a list shares with the most others. Agreement is in
 * probability, not by rank, so that near-uniform lists, which agree with each other on nothing in particular, get little; the
 * ceiling of ¼ is for near-one-hot lists, in which a guess of the prompt's stands out. Weights count octaves, as 16 of the 30
 * published scales lie between 0.5 and 2 and 10 between 20 and 200. d takes what the same place of the base model says anyway.
 * Of equal scores the smallest scale wins. How well it does: docs/patchscope-scale.md.
 * @param readings by rising scale, which are above 0
 * @param baseline the lists of another vector at the same scales
 */
export function chooseScale(
  readings: readonly ScaleReading[],
  baseline: readonly ScaleReading[] | null,
  isEcho: (text: string | null) => boolean,
): ScaleChoice {
  const lists = readings.map(({ tokens }) => probabilities(tokens, isEcho));
  const others = baseline?.map(({ tokens }) => probabilities(tokens, isEcho));
  const weights = shares(readings.map(({ scale }) => Math.log(scale)));
  const scores = lists.map((list, s) => {
    const agreement = lists.reduce(
      (sum, other, r) => sum + (weights[r] ?? 0) * overlap(list, other, mostOfOneToken),
      0,
    );
    const other = others?.[s];
    return agreement * (other ? 1 - overlap(normalised(list), normalised(other)) : 1);
  });
  const best = Math.max(...scores);
  return { index: best > 0 ? scores.indexOf(best) : null, scores };
}

/**
 * Tells tokens that only repeat the identity prompts: nothing but punctuation, their arrow, or a piece of one of their words.
 * What cannot be decoded says nothing either.
 */
export function echoesOf(prompts: readonly string[]): (text: string | null) => boolean {
  const words = [...new Set(prompts.flatMap((prompt) => prompt.match(/[\p{L}\p{N}]+/gu) ?? []))];
  return (text) => {
    const bare = text?.trim() ?? '';
    return !/[\p{L}\p{N}]/u.test(bare) || /[-=]>/.test(bare) || words.some((word) => word.includes(bare));
  };
}

type List = ReadonlyMap<number, number>;

const probabilities = (tokens: readonly ReadToken[], isEcho: (text: string | null) => boolean): List =>
  new Map(tokens.flatMap(({ tokenId, text, probability }) => (isEcho(text) ? [] : [[tokenId, probability]])));

function normalised(list: List): List {
  const sum = [...list.values()].reduce((total, p) => total + p, 0);
  return new Map([...list].map(([id, p]) => [id, p / sum]));
}

function overlap(a: List, b: List, most = Infinity): number {
  let sum = 0;
  for (const [id, p] of a) sum += Math.min(p, b.get(id) ?? 0, most);
  return sum;
}

/** Of the range that rising points span, the share that is nearest to each; equal shares when they span none. */
function shares(points: readonly number[]): number[] {
  const first = points[0] ?? 0;
  const range = (points.at(-1) ?? 0) - first;
  if (!(range > 0)) return points.map(() => 1 / points.length);
  return points.map((point, i) => ((points[i + 1] ?? point) - (points[i - 1] ?? point)) / 2 / range);
}
