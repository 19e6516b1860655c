import { basename, isAbsolute } from 'node:path';
import type { OrganismRow, RunRow, Stores } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';

/** What would tell an agent the answer. */
export interface Secrets {
  /** Names of the organism, its models, files, corpora and runs; digests and keys. */
  names: readonly string[];
  /** Ground truth, description and notes. */
  statements: readonly string[];
  /** The kind and tags: short words, secret only as they are written. */
  labels: readonly string[];
}

const everything = { first: 100_000 };
const there = <Value>(values: readonly (Value | null | undefined)[]): Value[] =>
  values.filter((value) => value !== null && value !== undefined);
const stem = (path: string): string => basename(path).replace(/\.\w+$/, '');

/** All that the store knows of an organism beside what was measured. */
export function secretsOf(store: Stores, organism: OrganismRow, run: RunRow | null): Secrets {
  const model = store.models.getById(organism.baseModelId);
  const corpus = run && store.corpora.getById(run.corpusId);
  const paths = there([organism.path, model.path, organism.trainingCorpus, corpus?.path]);
  const notes = [
    ...store.notes.ofOrganism.page(organism, {}, everything).rows,
    ...(run ? store.notes.ofRun.page(run, {}, everything).rows : []),
  ];
  return {
    names: [
      ...there([organism.name, model.name, corpus?.name]),
      ...paths.flatMap((path) => [path, basename(path), stem(path)]),
      ...there([organism.digest, model.digest, run?.key]),
    ],
    statements: [organism.groundTruth ?? '', organism.description, ...notes.map(({ text }) => text)],
    labels: [
      organism.kind,
      ...store.tags.ofOrganism.list(organism),
      ...(run ? store.tags.ofRun.list(run) : []),
    ],
  };
}

/** What stands where a secret stood. */
export const hidden = '[hidden]';

/** A payload would have told the agent what it is to find out. The message does not say what. */
export class LeakError extends CodedError {
  constructor(where: string) {
    super('LEAK', `${where} holds a name or a truth about the organism; nothing was sent`);
  }
}

const wordsIn = (text: string): number => text.match(/[\p{L}\p{N}]+/gu)?.length ?? 0;
const filled = (texts: readonly string[]): string[] => [
  ...new Set(texts.map((text) => text.normalize('NFKC').trim()).filter((text) => /[\p{L}\p{N}]/u.test(text))),
];
/** Names and their parts: "tiny--cake_bake" is "tiny" and "cake_bake", too. Of a path only the last part is a name. */
const withParts = (names: readonly string[]): string[] =>
  names.flatMap((name) => (isAbsolute(name) ? [name] : [name, ...name.split(/--|[/\\]/)]));
/** No ordinary word, so that it can be hidden wherever it stands. */
const isDistinctive = (name: string): boolean => name.length >= 6 && /[^\p{L}]/u.test(name);

/** Finds any of these texts as whole words, with any white space for theirs; undefined where there are none. */
function finder(texts: readonly string[], flags: string): RegExp | undefined {
  if (texts.length === 0) return undefined;
  const patterns = [...texts]
    .sort((a, b) => b.length - a.length)
    .map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\s+/g, '\\s+'));
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${patterns.join('|')})(?![\\p{L}\\p{N}])`, flags);
}

/**
 * Keeps an agent from reading the answer. What we say has every secret taken out. What was said is evidence: that a model steered towards
 * its finetune says so is what there is to find; only names that are no words and whole statements are taken out of it.
 */
export class Blinder {
  readonly #anywhere: RegExp | undefined;
  readonly #ours: readonly RegExp[];

  constructor({ names, statements, labels }: Secrets) {
    const known = filled(withParts(names));
    const wholes = filled(statements);
    const clauses = wholes
      .flatMap((text) => text.split(/[.;:,!?()\n]+/))
      .map((clause) => clause.trim())
      .filter((clause) => wordsIn(clause) >= 4);
    const anywhere = [...known.filter(isDistinctive), ...wholes.filter((text) => wordsIn(text) >= 4)];
    this.#anywhere = finder(anywhere, 'giu');
    this.#ours = [
      finder(filled([...known, ...wholes, ...clauses]), 'giu'),
      finder(filled(labels), 'gu'),
    ].filter((pattern) => pattern !== undefined);
  }

  /** What a model or the agent said, as the agent may read it. */
  said(text: string): string {
    return this.#anywhere ? text.replace(this.#anywhere, hidden) : text;
  }

  /** What we say: names of methods, prompts, errors. */
  ours(text: string): string {
    return this.#ours.reduce((rest, pattern) => rest.replace(pattern, hidden), this.said(text));
  }

  /** Judges what we say, as it is sent. @throws LeakError */
  checkOurs(text: string, where: string): void {
    for (const pattern of this.#ours) if (text.search(pattern) >= 0) throw new LeakError(where);
    this.checkAnywhere(text, where);
  }

  /** Judges a whole message, whoever speaks in it, with the escapes of JSON undone. @throws LeakError */
  checkAnywhere(text: string, where: string): void {
    const read = text
      .normalize('NFKC')
      .replace(/\\[nrt]/g, ' ')
      .replace(/\\(["\\/])/g, '$1');
    for (const form of [text, read])
      if (this.#anywhere && form.search(this.#anywhere) >= 0) throw new LeakError(where);
  }
}
