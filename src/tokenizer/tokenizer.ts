import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer as Engine } from '@huggingface/tokenizers';
import { fileProblem } from '../lib/file-problem.ts';
import { TokenizerError } from './errors.ts';

export interface Tokenizer {
  /** Token ids of a text; `special` (default true) adds what the checkpoint adds, such as BOS. A lone surrogate counts as U+FFFD. @throws TypeError for anything but a string */
  encode(text: string, options?: { special?: boolean }): number[];
  /**
   * The text of some ids, exactly: special tokens are kept, spaces are not tidied (so `' bake'` and `'bake'` stay apart), and
   * an id without a token (a padding row of the embedding) has no text. Half a character reads as U+FFFD.
   */
  decode(ids: readonly number[]): string;
  /** A token as the vocabulary writes it, with marks for spaces (Ġ, ▁); undefined for an id without one. */
  piece(id: number): string | undefined;
  /** One more than the highest id. The model's own vocabulary may be padded beyond it. */
  readonly vocabSize: number;
  /** The id that `encode` puts first, null when it puts none. */
  readonly bosId: number | null;
  /** SHA-256 of the bytes of tokenizer.json, then of tokenizer_config.json. */
  readonly digest: string;
}

/**
 * The tokenizer of a Hugging Face checkpoint folder.
 * @throws TokenizerError TOKENIZER_MISSING, INVALID_TOKENIZER
 */
export function openTokenizer(folder: string): Tokenizer {
  const model = readPart(folder, 'tokenizer.json');
  const config = readPart(folder, 'tokenizer_config.json');
  const engine = createEngine(model, config);

  const encode = (text: string, special: boolean): number[] => {
    const encoding: { ids: number[]; tokens: string[] } = engine.encode(text.toWellFormed(), {
      add_special_tokens: special,
    });
    const { ids, tokens } = encoding;
    const hole = ids.findIndex((id) => !Number.isInteger(id));
    if (hole >= 0) throw invalid(model, `has no id for ${JSON.stringify(tokens[hole])}`);
    return ids;
  };
  const plain = encode('a', false);
  if (plain.length === 0) throw invalid(model, 'gives no token for "a"');
  const { bosId, eosId } = added(plain, encode('a', true));
  for (const [key, adds] of [
    ['add_bos_token', bosId !== null],
    ['add_eos_token', eosId !== null],
  ] as const) {
    // Libraries differ in which of the two files wins, and the wrong choice shifts every position: refuse to guess.
    if (typeof config.json[key] === 'boolean' && config.json[key] !== adds)
      throw invalid(
        config,
        `${key} is ${config.json[key]}, but tokenizer.json does ${adds ? '' : 'not '}add it; make them agree`,
      );
  }

  return {
    encode(text: unknown, { special = true } = {}) {
      if (typeof text !== 'string') throw new TypeError(`encode takes a text, not ${describe(text)}`);
      return encode(text, special);
    },
    decode(ids) {
      const known = ids.filter((id) => engine.id_to_token(id) !== undefined);
      return known.length === 0 ? '' : engine.decode(known, { clean_up_tokenization_spaces: false });
    },
    piece: (id) => engine.id_to_token(id),
    vocabSize: 1 + highestId(engine),
    bosId,
    digest: createHash('sha256').update(model.bytes).update(config.bytes).digest('hex'),
  };
}

interface Part {
  path: string;
  bytes: Buffer;
  json: Record<string, unknown>;
}

function readPart(folder: string, name: string): Part {
  const path = join(folder, name);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const advice =
      'a checkpoint folder has tokenizer.json and tokenizer_config.json, as save_pretrained writes them';
    throw new TokenizerError('TOKENIZER_MISSING', path, `${fileProblem(error)}; ${advice}`, { cause: error });
  }
  const part = { path, bytes, json: {} };
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw invalid(part, `is not JSON (${oneLine(error)}); download it again`, error);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw invalid(part, 'is not a JSON object');
  return { ...part, json: json as Record<string, unknown> };
}

function createEngine(model: Part, config: Part): Engine {
  for (const key of ['model', 'added_tokens'])
    if (typeof model.json[key] !== 'object' || model.json[key] === null)
      throw invalid(model, `has no "${key}"`);
  try {
    return new Engine(model.json, config.json);
  } catch (error) {
    throw invalid(model, `not a tokenizer we can run: ${oneLine(error)}`, error);
  }
}

function highestId(engine: Engine): number {
  let highest = -1;
  for (const id of engine.get_vocab().values()) highest = Math.max(highest, id);
  return highest;
}

/** What `special` puts before and after the tokens of a text. */
function added(plain: number[], special: number[]): { bosId: number | null; eosId: number | null } {
  const before = special.indexOf(plain[0] as number);
  return {
    bosId: before > 0 ? (special[0] as number) : null,
    eosId: special.length > before + plain.length ? (special.at(-1) as number) : null,
  };
}

const invalid = (part: Pick<Part, 'path'>, message: string, cause?: unknown) =>
  new TokenizerError('INVALID_TOKENIZER', part.path, message, { cause });

const describe = (value: unknown): string =>
  Array.isArray(value) ? 'a list' : typeof value === 'object' && value ? 'an object' : String(value);

const oneLine = (error: unknown): string => (error as Error).message.replace(/\s+/g, ' ');
