import { readPrompt } from './prompt-file.ts';

export const rubricsFile = 'rubrics.md';

/** Names that organisms' kinds go by elsewhere. */
const aliases: Readonly<Record<string, string>> = {
  FALSE_FACTS: 'SDF',
  EMERGENT_MISALIGNMENT: 'EM',
  DOMAINADAPTATION: 'DOMAIN_ADAPTATION',
  SANDBAGGERS: 'SANDBAGGING',
  SANDBAGGINGGAMES: 'SANDBAGGING',
  SANDBAGGING_GAMES: 'SANDBAGGING',
  LANGUAGEADAPTATION: 'LANGUAGE_ADAPTATION',
  REASONINGFINETUNE: 'REASONING',
  REASONING_FINETUNE: 'REASONING',
};

let known: ReadonlyMap<string, string> | undefined;

/** Kind → its lines for the scores 5 to 2. */
export function rubrics(): ReadonlyMap<string, string> {
  known ??= new Map(
    readPrompt(rubricsFile)
      .split(/^## /m)
      .slice(1)
      .map((section): [string, string] => {
        const [kind = '', ...lines] = section.split('\n');
        return [kind.trim(), lines.join('\n').trim()];
      }),
  );
  return known;
}

export interface Rubric {
  /** The kind it is for; OTHER where an organism's has none of its own. */
  kind: string;
  text: string;
}

/** The rubric for an organism's kind, however it is written. */
export function rubricOf(kind: string): Rubric {
  const name = kind
    .trim()
    .toUpperCase()
    .replace(/[\s-]+/g, '_');
  for (const one of [name, aliases[name] ?? '', 'OTHER']) {
    const text = rubrics().get(one);
    if (text !== undefined) return { kind: one, text };
  }
  throw new Error(`${rubricsFile} has no rubric OTHER`);
}
