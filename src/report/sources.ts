import type { Source } from './facts.ts';
import { escapeMarkdown } from './markdown.ts';

/** A source in a few words, for titles of figures. */
export const sourceTitle = ({ grader, method }: Source): string =>
  `${grader.name}${grader.model === null ? '' : ` (${grader.model})`}, ${method}`;

/** A source in a sentence, with all that identifies it. */
export const sourceLine = ({ grader, method, how }: Source): string =>
  `Graded by \`${grader.key}\` (version ${grader.version}${grader.model === null ? ', no language model' : `, ${escapeMarkdown(grader.model)}`}), read by ${escapeMarkdown(method)}${how === '' ? '' : `; ${how}`}.`;

/** The part of a figure's file name that tells sources apart: nothing while there is one. */
export const sourceSuffix = (source: Source, sources: readonly Source[]): string =>
  sources.length === 1 ? '' : `-${sources.indexOf(source) + 1}`;
