import { readFileSync } from 'node:fs';
import { bundled } from './models.ts';

/** An entry of organisms/organisms.json. */
export interface BundledOrganism {
  name: string;
  base: string;
  kind: string;
  form: 'LORA' | 'FULL';
  description: string;
  groundTruth: string;
  trainingCorpus: string;
  mixRatio: number;
}

export const bundledOrganisms = JSON.parse(
  readFileSync(bundled('organisms.json'), 'utf8'),
) as BundledOrganism[];

/** The texts of a bundled corpus. */
export const textsOf = (corpus: string): string[] =>
  readFileSync(bundled(corpus), 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { text: string }).text);
