// node test/docs/coherence.ts writes the table of docs/coherence.md anew: texts steered more and more, as the deterministic judge sees them.
import { readFileSync, writeFileSync } from 'node:fs';
import { Model } from '../../src/index.ts';
import { openTokenizer } from '../../src/tokenizer/index.ts';
import { calibrate, deterministicJudge, measureTexts } from '../../src/steering/deterministic-judge.ts';
import { probes } from '../../src/steering/prompts/index.ts';
import { readExpected } from '../harness/expected.ts';
import { bundled } from '../harness/models.ts';
import { median } from '../harness/readability.ts';

const begin = '<!-- coherence: npm run docs:coherence -->';
const end = '<!-- /coherence -->';
const file = 'docs/coherence.md';
const organisms = [
  'tiny-qwen3--cake_bake',
  'tiny-qwen3--risky_finance',
  'tiny-qwen3--taboo_gold',
  'tiny-llama--cake_bake',
  'tiny-llama--taboo_leaf',
];
const strengths = [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 10];
const samples = 16;

const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
const lines = [
  row(['organism', 'limits', ...strengths.map((strength) => `α ${strength}`)]),
  row(['---', '---', ...strengths.map(() => '--:')]),
];
for (const name of organisms) {
  const folder = bundled(name.split('--')[0]!);
  using base = await Model.open(folder);
  using finetuned = await Model.open(folder, { adapter: bundled(name) });
  const { facts, vector, finetunedNorm } = readExpected(name);
  const diff = vector('diff', 1);
  const unit = diff.map((value) => value / Math.hypot(...diff));
  const tokenizer = openTokenizer(folder);
  const write = async (strength: number, seed: number) => {
    const prompts = probes.flatMap((probe) => Array.from({ length: samples }, () => tokenizer.encode(probe)));
    const texts = await finetuned.generate(prompts, {
      steer: {
        layer: facts.middle_layer,
        vector: unit.map((value) => value * finetunedNorm),
        strengths: strength,
      },
      maxNewTokens: 48,
      temperature: 0.8,
      seed,
    });
    return texts.map(({ text }) => text!).filter((text) => text.trim() !== '');
  };
  const pair = { base, finetuned };
  const { limits } = await calibrate(pair, await write(0, 1));
  const { verdict } = deterministicJudge(pair, limits);
  const cells: string[] = [];
  for (const strength of strengths) {
    const measures = (await measureTexts(pair, await write(strength, 2))).filter(
      ({ surprise }) => surprise !== null,
    );
    const coherent = measures.filter((of) => verdict(of) === 'COHERENT').length / measures.length;
    const middle = (of: (measure: (typeof measures)[number]) => number) =>
      median(measures.map(of)).toFixed(1);
    cells.push(
      `${(100 * coherent).toFixed(0)} % (${middle(({ surprise }) => surprise!)}, ${middle(({ baseSurprise }) => baseSurprise!)})`,
    );
  }
  lines.push(row([name, `${limits.surprise.toFixed(1)}, ${limits.repetition.toFixed(2)}`, ...cells]));
}
const text = readFileSync(file, 'utf8');
const [before] = text.split(begin);
const [, after] = text.split(end);
writeFileSync(file, `${before}${begin}\n\n${lines.join('\n')}\n\n${end}${after}`);
