import { readFileSync } from 'node:fs';
import { CodedError } from '../lib/coded-error.ts';
import { fileProblem } from '../lib/file-problem.ts';
import { type PromptList, promptLists } from '../steering/prompts/index.ts';

/** A list of ours by name, or a file with one prompt a line. @throws CodedError FILE_NOT_FOUND */
export function promptsOf(nameOrFile: string): readonly string[] {
  if (Object.hasOwn(promptLists, nameOrFile)) return promptLists[nameOrFile as PromptList];
  let text: string;
  try {
    text = readFileSync(nameOrFile, 'utf8');
  } catch (error) {
    const lists = Object.keys(promptLists).join(', ');
    throw new CodedError(
      'FILE_NOT_FOUND',
      `prompts ${nameOrFile}: ${fileProblem(error)}; name a file with one prompt a line, or one of our lists: ${lists}`,
      { cause: error },
    );
  }
  const prompts = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (prompts.length > 0) return prompts;
  throw new CodedError('INVALID_ARGUMENT', `prompts ${nameOrFile}: no line has a prompt`);
}
