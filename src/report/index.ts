import { packageVersion } from '../lib/package-root.ts';
import type { Store } from '../db/index.ts';
import { counted } from './markdown.ts';
import { readFacts } from './facts.ts';
import type { Section } from './section.ts';
import { agents } from './sections/agents.ts';
import { aggregates } from './sections/aggregates.ts';
import { layers } from './sections/layers.ts';
import { likeness } from './sections/likeness.ts';
import { mixing } from './sections/mixing.ts';
import { noise } from './sections/noise.ts';
import { provenance } from './sections/provenance.ts';
import { relevance } from './sections/relevance.ts';
import { steering } from './sections/steering.ts';

/** In the order of the report. */
const sections: readonly Section[] = [
  relevance,
  aggregates,
  mixing,
  layers,
  likeness,
  steering,
  agents,
  noise,
  provenance,
];

export interface ReportFile {
  /** In the report's folder. */
  path: string;
  text: string;
}

/** What a store says, as Markdown with figures. The same store gives the same bytes. */
export function reportOf(store: Store): ReportFile[] {
  const facts = readFacts(store);
  const parts = sections.flatMap((section) => section(facts) ?? []);
  const { organisms } = facts;
  const measured = organisms.filter((one) => one.measured).length;
  const head = [
    '# What the finetunes left in the activations',
    `${counted(organisms.length, 'organism')}, ${measured} of them measured; of each the latest run. Made by deltascope ${packageVersion()} from its store alone.`,
  ];
  const text = [
    ...head,
    ...(parts.length === 0 ? ['Nothing was measured yet.'] : []),
    ...parts.flatMap(({ title, markdown }) => [`## ${title}`, ...paragraphs(markdown)]),
  ].join('\n\n');
  return [
    { path: 'report.md', text: `${text}\n` },
    ...parts.flatMap(({ figures }) =>
      figures.map(({ name, svg }) => ({ path: `figures/${name}.svg`, text: svg })),
    ),
  ];
}

/** Items of one list stand below each other. */
const paragraphs = (markdown: readonly string[]): string[] =>
  markdown.reduce<string[]>((all, one) => {
    const last = all.at(-1);
    return one.startsWith('- ') && last?.startsWith('- ')
      ? [...all.slice(0, -1), `${last}\n${one}`]
      : [...all, one];
  }, []);
