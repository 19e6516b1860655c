import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { CorpusError, selectTexts, type SelectOptions } from '../../src/runs/corpus.ts';
import { openTokenizer } from '../../src/tokenizer/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'deltascope-corpus-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function corpus(content: string | Buffer): string {
  const file = join(folder, `${files++}.jsonl`);
  writeFileSync(file, content);
  return file;
}

/** One token a character: its code point. */
const characters = {
  encode: (text: string) => [...text].map((character) => character.codePointAt(0) as number),
};
/** One token a word: its length. */
const words = { encode: (text: string) => text.split(' ').map((word) => word.length) };

const select = (file: string, options: Partial<SelectOptions> = {}) =>
  selectTexts({ file, textColumn: 'text', tokenizer: characters, positions: 2, maxSamples: 10, ...options });

const rows = (...texts: unknown[]): string => texts.map((text) => `${JSON.stringify({ text })}\n`).join('');
const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
const ids = (text: string): number[] => characters.encode(text);

describe('the selection rule', () => {
  test('skips empty and short texts and keeps exactly the first ids', async () => {
    const file = corpus(rows('', 'abc', null, ' \t\u00a0\u001f', 'x', 'de'));
    expect(await select(file)).toMatchObject({
      tokens: [ids('ab'), ids('de')],
      samples: 2,
      rowsRead: 6,
      skippedEmpty: 3,
      skippedShort: 1,
    });
  });

  test('stops at the samples asked for, and counts and digests the whole file all the same', async () => {
    const content = `${rows('ab', '', 'cd')}\nthis is not JSON\n`;
    const found = await select(corpus(content), { maxSamples: 2 });
    expect(found).toMatchObject({ tokens: [ids('ab'), ids('cd')], rowsInFile: 4, rowsRead: 3 });
    expect(found.corpusDigest).toBe(sha256(content));
  });

  test('cuts at 10 characters a position before it encodes', async () => {
    const twenty = 'aaaaaaaaa bbbbbbbbbb'; // the second word ends where the cut falls
    const file = corpus(rows(`${twenty}ccc`, 'one-word-longer-than-the-cut and more'));
    expect(await select(file, { tokenizer: words })).toMatchObject({ tokens: [[9, 10]], skippedShort: 1 });
  });

  test('counts characters as code points', async () => {
    const seen: string[] = [];
    const spy = { encode: (text: string) => (seen.push(text), ids(text)) };
    await select(corpus(rows(`a${'😀'.repeat(30)}`, '😀'.repeat(20), 'b'.repeat(21))), { tokenizer: spy });
    expect(seen).toEqual([`a${'😀'.repeat(19)}`, '😀'.repeat(20), 'b'.repeat(20)]);
  });

  test('takes U+FEFF for text, as the published rule does', async () => {
    expect(await select(corpus(rows('\ufeff\ufeff')))).toMatchObject({ samples: 1, skippedEmpty: 0 });
  });

  test('digests ids with their shape', async () => {
    const digest = async (content: string, positions: number) =>
      (await select(corpus(content), { positions })).tokensDigest;
    const int32 = (...values: number[]) => Buffer.from(Int32Array.from(values).buffer);
    expect(await digest(rows('ab', 'cd'), 2)).toBe(sha256(int32(2, 2, 97, 98, 99, 100)));
    expect(await digest(rows('abcd'), 4)).toBe(sha256(int32(1, 4, 97, 98, 99, 100)));
  });
});

describe('the file', () => {
  test.each([
    ['CRLF line ends', Buffer.from('{"text":"ab"}\r\n{"text":"cd"}\r\n')],
    ['a byte order mark and no last newline', Buffer.from('\ufeff{"text":"ab"}\n{"text":"cd"}')],
    ['blank lines', Buffer.from('\n{"text":"ab"}\n \r\n\n{"text":"cd"}\n\n')],
  ])('may have %s', async (_, content) => {
    expect(await select(corpus(content))).toMatchObject({
      tokens: [ids('ab'), ids('cd')],
      rowsInFile: 2,
      rowsRead: 2,
    });
  });

  test('may have lines that cross the chunks it is read in', async () => {
    const texts = Array.from({ length: 40 }, (_, i) => `${i}é`.padEnd(9_973, '中'));
    const file = corpus(rows(...texts));
    const found = await select(file, { positions: 4, maxSamples: 100 });
    expect(found.tokens).toEqual(texts.map((text) => ids(text).slice(0, 4)));
    expect(found.corpusDigest).toBe(sha256(readFileSync(file)));
  });

  const refused = async (file: string, options: Partial<SelectOptions> = {}) => {
    const error: unknown = await select(file, options).catch((error: unknown) => error);
    if (!(error instanceof CorpusError)) throw error;
    expect(error.message).not.toContain('\n');
    return [error.code, error.message.replace(`${file}: `, '')];
  };

  test('that is missing or a folder is refused', async () => {
    expect(await refused(join(folder, 'none.jsonl'))).toEqual([
      'CORPUS_MISSING',
      'no such file; a corpus is a file of JSON lines',
    ]);
    expect(await refused(folder)).toEqual([
      'CORPUS_MISSING',
      'is a folder, not a file; a corpus is a file of JSON lines',
    ]);
  });

  test.each([
    ['is not JSON', `${rows('ab')}\nhello\n`, 'line 3 is not JSON; a corpus holds one JSON object a line'],
    ['is no object', '["ab"]\n', 'line 1 is not a JSON object; a corpus holds one JSON object a line'],
    [
      'is not UTF-8',
      Buffer.from('{"text":"\xe9t\xe9"}', 'latin1'),
      'line 1 is not UTF-8; a corpus holds one JSON object a line',
    ],
    [
      'lacks the column',
      `${rows('ab')}{"id":1,"body":"cd"}`,
      'line 2 has no column "text"; it has "id", "body"',
    ],
    ['has another type there', rows(['ab']), 'line 1 has no text in column "text" but ["ab"]'],
    [
      'is too long',
      `${rows('ab')}"${'x'.repeat(16 * 1024 * 1024)}`,
      'line 2 is longer than 16777216 bytes; a corpus holds one text a line',
    ],
  ])('with a line that %s is refused, naming the line', async (_, content, message) => {
    expect(await refused(corpus(content))).toEqual(['INVALID_CORPUS', message]);
  });

  test('without usable text is refused, saying why', async () => {
    expect(await refused(corpus(rows('', null, 'x')))).toEqual([
      'CORPUS_UNUSABLE',
      'no usable text in 3 rows: 2 empty, 1 with fewer than 2 tokens; give longer texts or ask for fewer positions',
    ]);
    expect((await refused(corpus('')))[1]).toMatch(/^no usable text in 0 rows/);
  });

  test('is not read once the caller has aborted', async () => {
    const reason = new Error('enough');
    await expect(select(corpus(rows('ab')), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test.each([{ positions: 0 }, { positions: 1.5 }, { maxSamples: 0 }, { maxSamples: NaN }])(
    'is not read for %o',
    async (options) => {
      await expect(select('unread', options)).rejects.toThrow(RangeError);
    },
  );
});

/** [rows][columns] of the int64 tensor with this name in a safetensors file. */
function readInt64(file: string, name: string): number[][] {
  const bytes = readFileSync(file);
  const headerEnd = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, headerEnd)) as Record<
    string,
    { shape: [number, number]; data_offsets: [number, number] }
  >;
  const tensor = header[name];
  if (!tensor) throw new Error(`${file} has no ${name}`);
  const [height, width] = tensor.shape;
  const at = (i: number) => Number(bytes.readBigInt64LE(headerEnd + tensor.data_offsets[0] + 8 * i));
  return Array.from({ length: height }, (_, row) =>
    Array.from({ length: width }, (_, j) => at(row * width + j)),
  );
}

test.each([
  ['tiny-qwen3', 'tiny-qwen3--cake_bake'],
  ['tiny-llama', 'tiny-llama--taboo_leaf'],
])('%s selects the token ids that transformers did', async (base, expectation) => {
  const found = await selectTexts({
    file: 'organisms/corpora/everyday.jsonl',
    textColumn: 'text',
    tokenizer: openTokenizer(join('organisms', base)),
    positions: 10,
    maxSamples: 1000,
  });
  expect(found.samples).toBe(1000);
  expect(found.tokens).toEqual(
    readInt64(join('test/fixtures/expected', expectation, 'expected.safetensors'), 'input_ids'),
  );
});
