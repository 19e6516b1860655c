import type { AskGraph } from './ask-graph.ts';
import { Cut, type Material, said } from './material.ts';
import { type Method, methods, type Place, type Places, steeredPairs } from './places.ts';
import { rankTokens } from './rank-tokens.ts';

/** What an agent is shown before it asks: small, and the strongest first. */
export const overviewSizes = { tokens: 10, ranked: 20, pairs: 3, characters: 160 } as const;

/** A probability with as many digits as say something. */
const digits = (value: number): number => Number(value.toPrecision(3));
const digitsOrNull = (value: number | null): number | null => (value === null ? null : digits(value));

export const tokensOf = (
  place: Place,
  method: Method,
  variant: 'diff' | 'base' | 'finetuned',
  k: number,
): Material =>
  place.readings[method][variant]
    .slice(0, k)
    .map(({ text, probability }) => [text === null ? null : said(text), digits(probability)]);

/** The first message about the vectors of a layer. */
export async function overviewOf(
  ask: AskGraph,
  { layer, relativeDepth, samples, places }: Places,
): Promise<Material> {
  const positions: Material[] = [];
  for (const place of places) {
    const lists = Object.fromEntries(
      methods
        .filter((method) => place.readings[method].diff.length > 0)
        .map((method) => [method, tokensOf(place, method, 'diff', overviewSizes.tokens)]),
    );
    positions.push({
      position: place.position,
      norm: digitsOrNull(place.norm),
      relative_norm: digitsOrNull(place.relativeNorm),
      above_noise: place.aboveNoise,
      tokens: lists,
      ...(place.experiment !== null && {
        steered: await pairsOf(ask, place.experiment, overviewSizes.pairs),
      }),
    });
  }
  const ranked = rankTokens(places).slice(0, overviewSizes.ranked);
  return {
    layer,
    relative_depth: relativeDepth,
    texts_averaged: samples,
    ranked_tokens: ranked.map(({ text, score, readings }) => [said(text), digits(score), readings]),
    positions,
  };
}

/** The first pairs of an experiment, a prompt each, cut. */
export async function pairsOf(
  ask: AskGraph,
  experiment: string,
  most: number,
  { characters = overviewSizes.characters }: { characters?: number } = {},
): Promise<Material> {
  const { strength, pairs } = await steeredPairs(ask, experiment);
  return {
    strength: digits(strength),
    pairs: pairs.slice(0, most).map(({ prompt, steered, unsteered }) => ({
      prompt: new Cut(prompt, characters),
      steered: new Cut(said(steered), characters),
      unsteered: new Cut(said(unsteered), characters),
    })),
  };
}
