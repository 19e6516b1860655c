import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalJson, type JsonValue } from '../lib/canonical-json.ts';
import { packageRoot } from '../lib/package-root.ts';
import { sha256 } from '../lib/sha256.ts';
import type { CallForm } from './reply.ts';
import { type Tool, tools as allTools } from './tools/index.ts';

const file = 'src/agent/prompts/agent.md';

let known: Map<string, string> | undefined;

/** The prompt's sections by heading; '' is what holds for all. */
function sections(): Map<string, string> {
  known ??= new Map(
    `## \n${readFileSync(join(packageRoot(), file), 'utf8')}`
      .split(/^## /m)
      .slice(1)
      .map((section): [string, string] => {
        const [heading = '', ...lines] = section.split('\n');
        return [heading.trim(), lines.join('\n').trim()];
      }),
  );
  return known;
}

/** What an agent is told first: its task, how to work with what it has, and how to call these tools. */
export function instructionsFor(
  form: CallForm,
  tools: readonly Tool[],
  { vectors }: { vectors: boolean },
): string {
  const text = (heading: string): string => {
    const section = sections().get(heading);
    if (section === undefined) throw new Error(`${file} has no section "${heading}"`);
    return section;
  };
  return [
    text(''),
    text(vectors ? 'Vectors' : 'Black box'),
    text('Results'),
    ...(form === 'FUNCTION'
      ? [text('Reply by function')]
      : [
          text('Reply in text'),
          ...tools.map((tool) => `- ${tool.name}: ${tool.description} ${JSON.stringify(tool.schema)}`),
        ]),
  ].join('\n\n');
}

/** Everything of ours that every agent is sent, whatever it is about. */
export const everybodysTexts = (): string[] =>
  [true, false].map((vectors) => instructionsFor('TEXT', allTools, { vectors }));

/** SHA-256 of the instructions and the forms of the tools: other ones are another agent. */
export const instructionsDigest = (
  form: CallForm,
  tools: readonly Tool[],
  about: { vectors: boolean },
): string =>
  sha256(
    canonicalJson([
      instructionsFor(form, tools, about),
      ...tools.map(({ name, description, schema }): JsonValue => ({ name, description, schema })),
    ]),
  );
