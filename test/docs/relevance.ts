// node test/docs/relevance.ts writes the table of docs/relevance.md anew: how many tokens of Patchscope the offline judge finds relevant.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../src/db/index.ts';
import { overPositions } from '../../src/graders/statistics.ts';
import { layerAtDepth } from '../../src/lib/layer-at-depth.ts';
import { bundledOrganisms } from '../harness/organisms.ts';
import { judgeOf, measured, relevanceOf } from '../harness/relevance-runs.ts';

const begin = '<!-- relevance: npm run docs:relevance -->';
const end = '<!-- /relevance -->';
const file = 'docs/relevance.md';
const depths = [0.5, 0.75];
const layers = depths.map((depth) => layerAtDepth(depth, 8));

const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
const percent = (share: number): string => (100 * share).toFixed(0);
const variants = ['DIFF', 'BASE', 'FINETUNED'] as const;
const cellsOf = (shares: Record<(typeof variants)[number], number[]>): string[] =>
  variants.map((variant) => {
    const summary = overPositions(shares[variant].map((value, position) => ({ position, value })));
    return summary ? `${percent(summary.max)} (${percent(summary.mean)})` : '';
  });

const lines = [
  row([
    'organism',
    ...depths.flatMap((depth) => ['diff', 'base', 'finetuned'].map((name) => `${name}, ${depth}`)),
  ]),
  row(['---', ...depths.flatMap(() => variants.map(() => '--:'))]),
];
const folder = mkdtempSync(join(tmpdir(), 'deltascope-'));
const store = openStore(join(folder, 'store.sqlite'));
for (const organism of bundledOrganisms) {
  const run = await measured(store, organism, layers);
  const judge = await judgeOf(organism);
  const cells: string[] = [];
  for (const layer of layers) cells.push(...cellsOf(await relevanceOf(store, run, layer, judge)));
  lines.push(row([organism.name, ...cells]));
}
store.close();
rmSync(folder, { recursive: true });

const text = readFileSync(file, 'utf8');
const [before] = text.split(begin);
const [, after] = text.split(end);
writeFileSync(file, `${before}${begin}\n\n${lines.join('\n')}\n\n${end}${after}`);
