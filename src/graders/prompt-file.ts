import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../lib/package-root.ts';
import { sha256 } from '../lib/sha256.ts';

/** How a reply brings its verdict: by calling a function, or as lines of text. */
export type ReplyForm = 'FUNCTION' | 'TEXT';

export interface PromptFile {
  /** In src/graders/prompts. */
  name: string;
  /** SHA-256 of the file, of material.md, which goes into every prompt, and of the other files it takes parts from. */
  digest: string;
  /**
   * The instructions for one form of reply, with the rules for material between two lines of `delimiter`, and with the parts that
   * its `{{names}}` stand for.
   */
  instructions(form: ReplyForm, delimiter: string, parts?: Readonly<Record<string, string>>): string;
}

const headings: Record<ReplyForm, string> = {
  FUNCTION: '## Reply by function',
  TEXT: '## Reply in text',
};
const isHeading = (line: string): boolean => Object.values(headings).includes(line);

/** A file of src/graders/prompts. */
export const readPrompt = (name: string): string =>
  readFileSync(join(packageRoot(), 'src/graders/prompts', name), 'utf8');

/** A prompt: Markdown with what holds for any reply, then one section for each form of it. Read on first use. */
export function promptFile(name: string, ...others: string[]): PromptFile {
  let known: { text: string; material: string } | undefined;
  const files = () => (known ??= { text: readPrompt(name), material: readPrompt('material.md') });
  return {
    name,
    get digest() {
      const { text, material } = files();
      return sha256([text, material, ...others.map(readPrompt)].join(''));
    },
    instructions(form, delimiter, parts = {}) {
      const { text, material } = files();
      const lines = text.split('\n');
      const start = lines.indexOf(headings[form]);
      if (start < 0) throw new Error(`${name} has no section "${headings[form]}"`);
      const end = lines.findIndex((line, i) => i > start && isHeading(line));
      const section = lines.slice(start + 1, end < 0 ? undefined : end);
      const general = lines.slice(0, lines.findIndex(isHeading));
      const filled = general
        .join('\n')
        .replace(/\{\{(\w+)\}\}/g, (whole, part: string) => parts[part] ?? whole);
      return [filled, material.replaceAll('{{delimiter}}', delimiter), section.join('\n')]
        .map((part) => part.trim())
        .join('\n\n');
    },
  };
}
