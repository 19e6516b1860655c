import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalJson, type JsonObject, type JsonValue } from '../lib/canonical-json.ts';

export interface TokenizerComparison {
  /** SHA-256 of the finetune's tokenizer.json, then tokenizer_config.json; null when it brings none that can be read. */
  finetunedDigest: string | null;
  /** Whether both make the same ids of every text; true when the finetune brings none, null when its own cannot be read. */
  equal: boolean | null;
  /** Whether both give the same tokens the same ids. As `equal` otherwise. */
  vocabularyEqual: boolean | null;
  /** In words, what keeps them from being equal. */
  differences: string[];
}

/**
 * Compares a base's tokenizer with the one that a finetune brings along, by what decides the ids: neither another spelling of the
 * same (indentation, merges as text or as pairs, defaults left out) nor a chat template makes a difference.
 */
export function compareTokenizers(baseFolder: string, finetunedFolder: string): TokenizerComparison {
  if (!existsSync(join(finetunedFolder, 'tokenizer.json')))
    return { finetunedDigest: null, equal: true, vocabularyEqual: true, differences: [] };
  let finetunedDigest: string | null = null;
  let pair: [base: Description, finetuned: Description];
  try {
    const [base, finetuned] = [bytesOf(baseFolder), bytesOf(finetunedFolder)];
    finetunedDigest = digestOf(finetuned);
    if (digestOf(base) === finetunedDigest)
      return { finetunedDigest, equal: true, vocabularyEqual: true, differences: [] };
    pair = [describe(base), describe(finetuned)];
  } catch {
    const differences = ['the finetuned one cannot be read'];
    return { finetunedDigest, equal: null, vocabularyEqual: null, differences };
  }
  const vocabulary = vocabularyDifferences(...pair);
  const differences = [...vocabulary, ...otherDifferences(...pair)];
  const [equal, vocabularyEqual] = [differences.length === 0, vocabulary.length === 0];
  return { finetunedDigest, equal, vocabularyEqual, differences };
}

type Bytes = [tokenizer: Buffer, config: Buffer];

const bytesOf = (folder: string): Bytes => {
  const config = join(folder, 'tokenizer_config.json');
  return [
    readFileSync(join(folder, 'tokenizer.json')),
    existsSync(config) ? readFileSync(config) : Buffer.alloc(0),
  ];
};

const digestOf = (parts: Bytes): string =>
  parts.reduce((hash, bytes) => hash.update(bytes), createHash('sha256')).digest('hex');

/** What decides the ids, in one spelling. */
interface Description {
  /** Every token, added ones included, to its id. */
  ids: Map<string, number>;
  /** Tokens that are found in a text before all others, to how. */
  added: Map<string, string>;
  merges: string[];
  /** Everything else, by a name to report it by. */
  parts: Map<string, string>;
  /** Settings of tokenizer_config.json that put tokens around a text, where it has them: versions leave them out. */
  around: Map<string, JsonValue>;
}

interface TokenizerJson {
  added_tokens?: { id: number; content: string; [setting: string]: JsonValue }[] | null;
  model: {
    vocab: Record<string, number> | [string, number][];
    merges?: (string | string[])[] | null;
  } & JsonObject;
  normalizer?: JsonValue;
  pre_tokenizer?: JsonValue;
  post_processor?: JsonValue;
}

function describe([tokenizer, config]: Bytes): Description {
  const { added_tokens, model, ...rest } = JSON.parse(tokenizer.toString('utf8')) as TokenizerJson;
  const { vocab, merges, ...settings } = model;
  const pieces = Array.isArray(vocab) ? vocab : undefined; // a unigram model's, with their scores
  const ids = new Map(pieces ? pieces.map(([token], id) => [token, id]) : Object.entries(vocab));
  const added = new Map<string, string>();
  for (const { id, content, single_word, lstrip, rstrip, normalized } of added_tokens ?? []) {
    ids.set(content, id);
    added.set(content, spelling({ single_word, lstrip, rstrip, normalized }));
  }
  return {
    ids,
    added,
    merges: (merges ?? []).map((merge) => (typeof merge === 'string' ? merge : merge.join(' '))),
    around: new Map(
      Object.entries(
        config.length === 0 ? {} : (JSON.parse(config.toString('utf8')) as Record<string, JsonValue>),
      ).filter(([key, value]) => /^add_(bos|eos)_token$/.test(key) && typeof value === 'boolean'),
    ),
    parts: new Map([
      ['set of scores', spelling(pieces?.map(([, score]) => score))],
      ['model', spelling(settings)],
      ...(['normalizer', 'pre_tokenizer', 'post_processor'] as const).map((part): [string, string] => [
        part,
        spelling(rest[part]),
      ]),
    ]),
  };
}

/** One text per meaning: what is null, false or left out is the same, and so are the names that versions gave a setting. */
function spelling(value: unknown): string {
  return canonicalJson(plain(value) ?? null);
}

function plain(value: unknown): JsonValue | undefined {
  if (Array.isArray(value)) return value.map((member) => plain(member) ?? null);
  if (typeof value !== 'object' || value === null)
    return value === null || value === false ? undefined : (value as JsonValue | undefined);
  const { trim_offsets: _, ...members } = value as JsonObject; // of offsets in the text, which change no id
  if (members['type'] === 'ByteLevel' && members['use_regex'] === true) delete members['use_regex'];
  if (members['type'] === 'Metaspace') {
    members['prepend_scheme'] ??= members['add_prefix_space'] === false ? 'never' : 'always';
    delete members['add_prefix_space'];
    delete members['str_rep'];
    if (members['split'] === true) delete members['split'];
  }
  const kept = Object.entries(members).map(([key, member]) => [key, plain(member)] as const);
  return Object.fromEntries(kept.filter((entry): entry is [string, JsonValue] => entry[1] !== undefined));
}

function vocabularyDifferences(base: Description, finetuned: Description): string[] {
  const only = (which: string, here: Description, there: Description): string[] => {
    const tokens = [...here.ids.keys()].filter((token) => !there.ids.has(token));
    const added = tokens.filter((token) => here.added.has(token)).length;
    return [
      ...counted(added, 'added token', `only in the ${which} tokenizer`),
      ...counted(tokens.length - added, 'token', `only in the ${which} tokenizer`),
    ];
  };
  const moved = [...base.ids].filter(([token, id]) => (finetuned.ids.get(token) ?? id) !== id);
  return [
    ...only('finetuned', finetuned, base),
    ...only('base', base, finetuned),
    ...counted(moved.length, 'token', 'with another id'),
  ];
}

function otherDifferences(base: Description, finetuned: Description): string[] {
  const both = [...base.ids.keys()].filter((token) => finetuned.ids.has(token));
  const treated = both.filter((token) => base.added.get(token) !== finetuned.added.get(token));
  const longest = Math.max(base.merges.length, finetuned.merges.length);
  let equal = 0;
  while (equal < longest && base.merges[equal] === finetuned.merges[equal]) equal++;
  return [
    ...counted(treated.length, 'token', 'added in another way'),
    ...(equal === longest ? [] : [`other merges from number ${equal + 1} on`]),
    ...[...base.parts].flatMap(([part, text]) =>
      finetuned.parts.get(part) === text ? [] : [`another ${part}`],
    ),
    ...[...base.around].flatMap(([key, value]) => {
      const other = finetuned.around.get(key) ?? value;
      return other === value ? [] : [`another ${key}`];
    }),
  ];
}

const counted = (count: number, noun: string, what: string): string[] =>
  count === 0 ? [] : [`${count} ${noun}${count === 1 ? '' : 's'} ${what}`];
