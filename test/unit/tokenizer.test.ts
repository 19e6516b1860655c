import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { openTokenizer, type TokenizerError } from '../../src/tokenizer/index.ts';

const organism = (name: string): string => join('organisms', name);
const expected = (name: string): string => join('test/fixtures/expected', name, 'expected.json');

/** Every [id, text, probability] that transformers wrote into an expectation. */
function expectedTokens(name: string): [number, string][] {
  const found: [number, string][] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value) && typeof value[0] === 'number' && typeof value[1] === 'string')
      found.push([value[0], value[1]]);
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(visit);
  };
  visit(JSON.parse(readFileSync(expected(name), 'utf8')));
  return found;
}

describe('the tiny organisms', () => {
  const qwen = openTokenizer(organism('tiny-qwen3'));
  const llama = openTokenizer(organism('tiny-llama'));

  test('encodes with what the checkpoint adds, and without it when asked', () => {
    expect(llama.encode('hi there')).toEqual([0, 2017, 264, 304]);
    expect(llama.encode('hi there', { special: false })).toEqual([2017, 264, 304]);
    expect(qwen.encode('hi there')).toEqual([2015, 262, 302]);
    expect(llama.encode('')).toEqual([0]);
    expect(qwen.encode('')).toEqual([]);
  });

  test('encodes nothing but text', () => {
    for (const [value, message] of [
      [5, 'encode takes a text, not 5'],
      [undefined, 'encode takes a text, not undefined'],
      [['hi'], 'encode takes a text, not a list'],
      [{}, 'encode takes a text, not an object'],
    ] as const)
      expect(() => qwen.encode(value as never)).toThrow(new TypeError(message));
  });

  test('says which id it puts first and how many ids there are', () => {
    expect([llama.bosId, llama.vocabSize]).toEqual([0, 2048]);
    expect([qwen.bosId, qwen.vocabSize]).toEqual([null, 2048]);
  });

  test('decodes what it encoded, special tokens and spaces kept', () => {
    for (const text of [' bake', 'A cake , he said .', 'naïve 中文 😀\r\n\t x', "don't"]) {
      expect(qwen.decode(qwen.encode(text))).toBe(text);
      expect(llama.decode(llama.encode(text))).toBe(`<|begin_of_text|>${text}`);
    }
    expect(qwen.encode('<|im_start|>user')[0]).toBe(1);
  });

  test('has no text for no ids and for ids beyond the vocabulary', () => {
    expect(qwen.decode([])).toBe('');
    expect(qwen.decode([2048])).toBe('');
    expect(qwen.decode([999_999, 853])).toBe(' week');
  });

  test('encodes a lone surrogate as U+FFFD', () => {
    expect(qwen.encode('a\ud83db')).toEqual(qwen.encode('a\ufffdb'));
  });

  test.each([
    ['tiny-qwen3--cake_bake', qwen],
    ['tiny-llama--taboo_leaf', llama],
  ])('gives each id of %s the text that transformers gives it', (name, tokenizer) => {
    const tokens = expectedTokens(name);
    expect(tokens.length).toBeGreaterThan(300);
    expect(tokens.map(([id]) => [id, tokenizer.decode([id])])).toEqual(tokens);
  });

  test('a digest follows the bytes of both files', () => {
    const hash = createHash('sha256');
    for (const name of ['tokenizer.json', 'tokenizer_config.json'])
      hash.update(readFileSync(join(organism('tiny-qwen3'), name)));
    expect(qwen.digest).toBe(hash.digest('hex'));
    expect(openTokenizer(organism('tiny-qwen3--honey_bees-full')).digest).not.toBe(qwen.digest);
  });
});

describe('a folder that has no usable tokenizer', () => {
  const folders: string[] = [];
  afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })));

  /** A copy of a tiny organism's tokenizer with changes: undefined removes a file, text replaces it, an object is merged in. */
  function changed(from: string, changes: Record<string, string | object | undefined>): string {
    const folder = mkdtempSync(join(tmpdir(), 'deltascope-tokenizer-'));
    folders.push(folder);
    for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
      cpSync(join(organism(from), name), join(folder, name));
      if (!(name in changes)) continue;
      const change = changes[name];
      if (change === undefined) rmSync(join(folder, name));
      else if (typeof change === 'string') writeFileSync(join(folder, name), change);
      else writeFileSync(join(folder, name), JSON.stringify({ ...readJson(join(folder, name)), ...change }));
    }
    return folder;
  }
  const readJson = (path: string): object => JSON.parse(readFileSync(path, 'utf8')) as object;

  function refusal(open: () => unknown): { code: string; message: string } {
    try {
      open();
    } catch (error) {
      const { code, message, path } = error as TokenizerError;
      expect(message).not.toContain('\n');
      return { code, message: message.replace(path, path.split('/').at(-1) as string) };
    }
    throw new Error('nothing was refused');
  }

  test.each(['tokenizer.json', 'tokenizer_config.json'])('without %s', (name) => {
    expect(refusal(() => openTokenizer(changed('tiny-qwen3', { [name]: undefined })))).toEqual({
      code: 'TOKENIZER_MISSING',
      message: `${name}: no such file; a checkpoint folder has tokenizer.json and tokenizer_config.json, as save_pretrained writes them`,
    });
  });

  test.each([
    [
      'cut short',
      { 'tokenizer.json': '{\n"model": x\n' },
      /^tokenizer\.json: is not JSON \(.+\); download it again$/,
    ],
    ['not an object', { 'tokenizer_config.json': '[]' }, /^tokenizer_config\.json: is not a JSON object$/],
    ['without a model', { 'tokenizer.json': { model: null } }, /^tokenizer\.json: has no "model"$/],
    [
      'of an unknown kind',
      { 'tokenizer.json': { pre_tokenizer: { type: 'Runes' } } },
      /^tokenizer\.json: not a tokenizer we can run: .*Runes/,
    ],
    [
      'whose files disagree on BOS',
      { 'tokenizer_config.json': { add_bos_token: true } },
      /^tokenizer_config\.json: add_bos_token is true, but tokenizer\.json does not add it; make them agree$/,
    ],
  ])('%s', (_, changes, message) => {
    const refused = refusal(() => openTokenizer(changed('tiny-qwen3', changes)));
    expect(refused.code).toBe('INVALID_TOKENIZER');
    expect(refused.message).toMatch(message);
  });

  test('whose files disagree the other way', () => {
    const folder = changed('tiny-llama', { 'tokenizer_config.json': { add_bos_token: false } });
    expect(refusal(() => openTokenizer(folder)).message).toBe(
      'tokenizer_config.json: add_bos_token is false, but tokenizer.json does add it; make them agree',
    );
  });

  const bare = { added_tokens: [], pre_tokenizer: null, decoder: null, post_processor: null };

  test('that has no id for a word says so when it meets it', () => {
    const model = {
      type: 'WordPiece',
      vocab: { a: 0, '##b': 1 },
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
    };
    const tokenizer = openTokenizer(changed('tiny-qwen3', { 'tokenizer.json': { ...bare, model } }));
    expect(tokenizer.encode('ab')).toEqual([0, 1]);
    expect(refusal(() => tokenizer.encode('ac'))).toEqual({
      code: 'INVALID_TOKENIZER',
      message: 'tokenizer.json: has no id for "[UNK]"',
    });
  });

  test('that drops letters is refused', () => {
    const model = { type: 'BPE', vocab: { z: 0 }, merges: [] };
    expect(
      refusal(() => openTokenizer(changed('tiny-qwen3', { 'tokenizer.json': { ...bare, model } }))),
    ).toEqual({
      code: 'INVALID_TOKENIZER',
      message: 'tokenizer.json: gives no token for "a"',
    });
  });
});
