import { chooseScale, echoesOf, type ScaleReading } from '../../src/methods/patchscope-scale.ts';
import { identityPrompts } from '../../src/native/index.ts';
import { sentencesOf, typicalOfTraining, typicalShare } from '../../src/runs/typical-tokens.ts';
import { openTokenizer, type Tokenizer } from '../../src/tokenizer/index.ts';
import { readExpected, type Ranked } from './expected.ts';
import { bundled } from './models.ts';

const sentences = (tokenizer: Tokenizer, name: string): number[][] =>
  sentencesOf(bundled(`corpora/${name}.jsonl`), tokenizer);

const everyday = new Map<string, { tokenizer: Tokenizer; sentences: number[][] }>();

/** Tokens that stand in half a percent of the sentences an organism was trained on, twice as often as in everyday ones. */
export function typicalOf(organism: string): Set<number> {
  const [base = '', rest = ''] = organism.split('--');
  let known = everyday.get(base);
  if (!known) {
    const tokenizer = openTokenizer(bundled(base));
    known = { tokenizer, sentences: sentences(tokenizer, 'everyday') };
    everyday.set(base, known);
  }
  const corpus = rest.replace(/-(mix.*|full)$/, '');
  return typicalOfTraining(sentences(known.tokenizer, corpus), known.sentences);
}

/** How readable the scales of one diff vector are, and which one is chosen. Readability knows the training texts, the choice does not. */
export interface ScaleCase {
  organism: string;
  position: number;
  scales: number[];
  /** [scale] share of the 20 tokens that are typical of the training texts. */
  shares: number[];
  /** [scale] the same weighted by probability. */
  weighted: number[];
  /** Index of the chosen scale. */
  chosen: number;
}

export function scaleCases(organism: string): ScaleCase[] {
  const { facts } = readExpected(organism);
  const typical = typicalOf(organism);
  const isEcho = echoesOf(identityPrompts);
  const reading = (variant: 'diff' | 'base', position: string): ScaleReading[] =>
    facts.scales.map((scale) => ({
      scale,
      tokens: ranked(facts.patchscope[variant][position]!, scale).map(([tokenId, text, probability]) => {
        return { tokenId, text, probability };
      }),
    }));
  return Object.keys(facts.patchscope.diff).map((position) => {
    const [own, baseline] = [reading('diff', position), reading('base', position)];
    return {
      organism,
      position: Number(position),
      scales: facts.scales,
      shares: own.map(({ tokens }) => tokens.filter(({ tokenId }) => typical.has(tokenId)).length / 20),
      weighted: own.map(({ tokens }) => typicalShare(tokens, typical)),
      chosen: chooseScale(own, baseline, isEcho).index!,
    };
  });
}

/** The list of a scale, whose key is written as Python prints floats. */
const ranked = (lists: Record<string, Ranked[]>, scale: number): Ranked[] =>
  lists[Number.isInteger(scale) ? `${scale}.0` : String(scale)]!;

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
};
export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
