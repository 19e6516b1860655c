import { basename, isAbsolute } from 'node:path';
import type { OrganismRow, RunRow, Stores } from '../db/index.ts';
import { cleaned, removed } from '../graders/untrusted.ts';
import { CodedError } from '../lib/coded-error.ts';
import { fold, type Folded, type Letters } from './fold.ts';

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

/** A payload of our own making would have told the agent what it is to find out. The message is for whoever runs it. */
export class LeakError extends CodedError {
  constructor(where: string, { text }: Secret) {
    const told = text.length > 80 ? `${text.slice(0, 80)}…` : text;
    super('LEAK', `${where} holds ${JSON.stringify(told)}, a secret of the organism; nothing was sent`);
  }
}

interface Secret {
  /** As it is known. */
  text: string;
  /** As it is looked for. */
  folded: string;
  letters: Letters;
  /** Hidden whoever says it; others only in what we say. */
  isAnywhere: boolean;
}

const wordsIn = (text: string): number => text.match(/[\p{L}\p{N}]+/gu)?.length ?? 0;
/** Names and their parts: "tiny--cake_bake" is "tiny" and "cake_bake", too. Of a path only the last part is a name. */
const withParts = (names: readonly string[]): string[] =>
  names.flatMap((name) => (isAbsolute(name) ? [name] : [name, ...name.split(/--|[/\\]/)]));
/** No ordinary word, so that it can be hidden wherever it stands. */
const isDistinctive = (name: string): boolean => name.length >= 6 && /[^\p{L}]/u.test(name);
const clausesOf = (text: string): string[] =>
  text
    .split(/[.;:,!?()\n]+/)
    .map((clause) => clause.trim())
    .filter((clause) => wordsIn(clause) >= 4);

function allSecrets({ names, statements, labels }: Secrets): Secret[] {
  const secrets = new Map<string, Secret>();
  const add = (text: string, isAnywhere: boolean, letters: Letters = 'CASELESS') => {
    const folded = fold(text, letters).text.trim();
    if (!/[\p{L}\p{N}]/u.test(folded)) return;
    const key = `${letters} ${folded}`;
    if (isAnywhere || !secrets.has(key)) secrets.set(key, { text: text.trim(), folded, letters, isAnywhere });
  };
  for (const name of withParts(names)) add(name, isDistinctive(name.normalize('NFKC').trim()));
  for (const statement of statements) {
    add(statement, wordsIn(statement) >= 4);
    for (const clause of clausesOf(statement)) add(clause, false);
  }
  for (const label of labels) add(label, false, 'CASED');
  return [...secrets.values()];
}

const isOfWord = (letter: string | undefined): boolean =>
  letter !== undefined && /[\p{L}\p{N}]/u.test(letter);

/** Where a secret stands in a text, in the text's own characters: as whole words, however they are disguised. */
function placesOf({ folded }: Secret, { text, starts, ends, gaps }: Folded): { from: number; to: number }[] {
  const places = [];
  for (let at = text.indexOf(folded); at >= 0; at = text.indexOf(folded, at + 1)) {
    const end = at + folded.length;
    const begins = !isOfWord(folded[0]) || gaps[at] || !isOfWord(text[at - 1]);
    const closes = !isOfWord(folded.at(-1)) || gaps[end] || !isOfWord(text[end]);
    if (begins && closes) places.push({ from: starts[at] as number, to: ends[end - 1] as number });
  }
  return places;
}

/**
 * Keeps an agent from reading the answer. What we say has every secret taken out. What was said is evidence: that a model steered towards
 * its finetune says so is what there is to find; only names that are no words and whole statements are taken out of it.
 */
export class Blinder {
  readonly #secrets: readonly Secret[];

  private constructor(secrets: readonly Secret[]) {
    this.#secrets = secrets;
  }

  /** @param everybodys texts of ours that every agent is sent: what stands in them tells nothing, and is left there */
  static of(secrets: Secrets, everybodys: readonly string[] = []): Blinder {
    return new Blinder(allSecrets(secrets)).except([...everybodys, hidden, removed]);
  }

  /** One that leaves alone what stands in these texts. */
  except(texts: readonly string[]): Blinder {
    const standing = new Set(
      texts.flatMap((text) => this.#in(text, this.#secrets).map(({ secret }) => secret)),
    );
    return standing.size === 0 ? this : new Blinder(this.#secrets.filter((secret) => !standing.has(secret)));
  }

  /** What a model or a text said, as the agent may read it: clean of what it could take for a call or a result, and blinded. */
  said(text: string): string {
    return this.#hide(text, this.#anywhere());
  }

  /** What we say: names of methods, prompts, errors. */
  ours(text: string): string {
    return this.#hide(text, this.#secrets);
  }

  /** Judges a text of ours, whatever it is: names of members, tools, instructions. @throws LeakError */
  check(text: string, where: string): void {
    const [found] = this.#in(text, this.#anywhere());
    if (found) throw new LeakError(where, found.secret);
  }

  #anywhere(): readonly Secret[] {
    return this.#secrets.filter(({ isAnywhere }) => isAnywhere);
  }

  #in(text: string, secrets: readonly Secret[]): { secret: Secret; from: number; to: number }[] {
    const folded = new Map<Letters, Folded>();
    return secrets.flatMap((secret) => {
      const { letters } = secret;
      const one = folded.get(letters) ?? fold(text, letters);
      folded.set(letters, one);
      return placesOf(secret, one).map((place) => ({ secret, ...place }));
    });
  }

  /** Until nothing is left to take out: what is cleaned away may have kept the parts of a secret apart. */
  #hide(text: string, secrets: readonly Secret[]): string {
    let before = text;
    for (let round = 0; round < mostRounds; round++) {
      const after = cleaned(this.#hideOnce(before, secrets)).text;
      if (after === before) return after;
      before = after;
    }
    return hidden;
  }

  #hideOnce(text: string, secrets: readonly Secret[]): string {
    let [shown, at] = ['', 0];
    for (const { from, to } of this.#in(text, secrets).sort((a, b) => a.from - b.from)) {
      if (from >= at) shown += text.slice(at, from) + hidden;
      at = Math.max(at, to);
    }
    return shown + text.slice(at);
  }
}

/** More than any honest text takes. */
const mostRounds = 8;
