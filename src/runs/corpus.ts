import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { CorpusRow, Store, Visibility } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import { fileProblem } from '../lib/file-problem.ts';
import { LineSplitter } from '../lib/line-splitter.ts';
import { sha256 } from '../lib/sha256.ts';
import type { Tokenizer } from '../tokenizer/index.ts';

export type CorpusErrorCode = 'CORPUS_MISSING' | 'INVALID_CORPUS' | 'CORPUS_UNUSABLE';

/** A corpus cannot be read, is not what it should be, or gives no sample. `path` is its file. */
export class CorpusError extends CodedError {
  declare readonly code: CorpusErrorCode;
  readonly path: string;

  constructor(code: CorpusErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(code, `${path}: ${message}`, options);
    this.path = path;
  }
}

export interface SelectOptions {
  /** JSON Lines: one object a line, UTF-8, at most 16 MiB a line. */
  file: string;
  textColumn: string;
  tokenizer: Pick<Tokenizer, 'encode'>;
  positions: number;
  /** Texts of at least so many tokens are taken as they are, up to `positions`; as many as `positions` when left out. */
  leastTokens?: number | undefined;
  maxSamples: number;
  signal?: AbortSignal | undefined;
}

export interface Selection {
  /** [samples][positions] token ids, or fewer where `leastTokens` allows it. */
  tokens: number[][];
  samples: number;
  /** Lines of the whole file that are not blank. */
  rowsInFile: number;
  /** Rows looked at: up to the last one accepted. */
  rowsRead: number;
  /** Rows whose text is null, empty or only white space. */
  skippedEmpty: number;
  /** Rows that gave fewer tokens than asked for. */
  skippedShort: number;
  /** SHA-256 of the whole file, however little of it was needed. */
  corpusDigest: string;
  /** SHA-256 of `samples`, `positions`, then the ids row by row (after their number where `leastTokens` is given), each as a little-endian int32. */
  tokensDigest: string;
}

const maxLineBytes = 16 * 1024 * 1024;

/**
 * The first `maxSamples` texts of a corpus that reach `positions` tokens, each cut to exactly that many. Special tokens count (a
 * BOS is position 0). A text is first cut to 10 · positions characters (code points); what is too short is dropped, never padded.
 * @throws CorpusError CORPUS_MISSING, INVALID_CORPUS, CORPUS_UNUSABLE; RangeError; the signal's reason when it aborts
 */
export async function selectTexts(options: SelectOptions): Promise<Selection> {
  const { file, textColumn, tokenizer, positions, leastTokens = positions, maxSamples, signal } = options;
  for (const [name, count] of Object.entries({ positions, leastTokens, maxSamples }))
    if (!Number.isSafeInteger(count) || count < 1)
      throw new RangeError(`${name} is ${count}; it must be a whole number from 1`);

  const tokens: number[][] = [];
  let rowsRead = 0;
  let skippedEmpty = 0;
  let skippedShort = 0;
  const { rows, digest } = await eachRow(file, signal, (line, invalid) => {
    if (tokens.length === maxSamples) return;
    rowsRead++;
    const text = textOf(parseLine(line, invalid), textColumn, invalid);
    const ids = text === '' ? [] : tokenizer.encode(firstCharacters(text, 10 * positions));
    if (text === '') skippedEmpty++;
    else if (ids.length < leastTokens) skippedShort++;
    else tokens.push(ids.slice(0, positions));
  });

  if (tokens.length === 0) {
    const found = `no usable text in ${rowsRead} rows: ${skippedEmpty} empty, ${skippedShort} with fewer than ${leastTokens} tokens`;
    throw new CorpusError('CORPUS_UNUSABLE', file, `${found}; give longer texts or ask for fewer positions`);
  }
  return {
    tokens,
    samples: tokens.length,
    rowsInFile: rows,
    rowsRead,
    skippedEmpty,
    skippedShort,
    corpusDigest: digest,
    tokensDigest: digestTokens(tokens, positions, options.leastTokens !== undefined),
  };
}

/**
 * Reads a corpus through, every line of it, and registers it.
 * @throws CorpusError CORPUS_MISSING, INVALID_CORPUS; CodedError CONFLICT when the name stands for another; the signal's reason
 */
export async function addCorpus(
  store: Store,
  {
    name,
    path,
    textColumn,
    visibility,
  }: { name: string; path: string; textColumn: string; visibility?: Visibility | undefined },
  signal?: AbortSignal,
): Promise<CorpusRow> {
  const { rows, digest } = await eachText({ file: path, textColumn }, () => undefined, signal);
  return store.corpora.add({ name, path: resolve(path), textColumn, digest, rows, visibility });
}

/**
 * Every text of a corpus, '' where a row has none; how many rows there are, and the SHA-256 of the whole file.
 * @throws CorpusError CORPUS_MISSING, INVALID_CORPUS; the signal's reason when it aborts
 */
export const eachText = (
  { file, textColumn }: { file: string; textColumn: string },
  take: (text: string) => void,
  signal?: AbortSignal,
): Promise<{ rows: number; digest: string }> =>
  eachRow(file, signal, (line, invalid) => take(textOf(parseLine(line, invalid), textColumn, invalid)));

/**
 * The first texts of a corpus that are not blank.
 * @throws CorpusError CORPUS_MISSING, INVALID_CORPUS, CORPUS_UNUSABLE where there is none; the signal's reason when it aborts
 */
export async function firstTexts(
  corpus: { file: string; textColumn: string },
  count: number,
  signal?: AbortSignal,
): Promise<string[]> {
  const texts: string[] = [];
  const take = (text: string) => void (texts.length < count && text.trim() !== '' && texts.push(text));
  await eachText(corpus, take, signal);
  if (texts.length === 0) throw new CorpusError('CORPUS_UNUSABLE', corpus.file, 'has no text');
  return texts;
}

/**
 * Every line of a corpus that is not blank; how many there are, and the SHA-256 of the whole file. `invalid` names the line.
 * @throws CorpusError CORPUS_MISSING, INVALID_CORPUS; the signal's reason when it aborts
 */
async function eachRow(
  file: string,
  signal: AbortSignal | undefined,
  take: (line: Buffer, invalid: Invalid) => void,
): Promise<{ rows: number; digest: string }> {
  let rows = 0;
  let lineNumber = 0;
  const invalid = (line: number, message: string, cause?: unknown) =>
    new CorpusError('INVALID_CORPUS', file, `line ${line} ${message}`, { cause });
  const splitter = new LineSplitter(maxLineBytes, () =>
    invalid(lineNumber + 1, `is longer than ${maxLineBytes} bytes; a corpus holds one text a line`),
  );
  const takeAll = (lines: Iterable<Buffer>): void => {
    for (const line of lines) {
      lineNumber++;
      if (isBlankLine(line)) continue;
      rows++;
      take(line, (message, cause) => invalid(lineNumber, message, cause));
    }
  };
  const hash = createHash('sha256');
  for await (const chunk of bytesOf(file)) {
    signal?.throwIfAborted();
    hash.update(chunk);
    takeAll(splitter.push(chunk));
  }
  takeAll(splitter.end());
  signal?.throwIfAborted();
  return { rows, digest: hash.digest('hex') };
}

/** SHA-256 of a whole corpus file, as a selection has it. @throws CorpusError CORPUS_MISSING, INVALID_CORPUS; the signal's reason when it aborts */
export async function corpusDigestOf(file: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of bytesOf(file)) {
    signal?.throwIfAborted();
    hash.update(chunk);
  }
  return hash.digest('hex');
}

async function* bytesOf(file: string): AsyncGenerator<Buffer> {
  try {
    const found = await stat(file);
    // A pipe or a device may never end, nor even open.
    if (!found.isFile() && !found.isDirectory())
      throw new CorpusError(
        'INVALID_CORPUS',
        file,
        'is not a regular file; a corpus is a file of JSON lines',
      );
    yield* createReadStream(file);
  } catch (error) {
    if (error instanceof CorpusError) throw error;
    throw new CorpusError('CORPUS_MISSING', file, `${fileProblem(error)}; a corpus is a file of JSON lines`, {
      cause: error,
    });
  }
}

type Invalid = (message: string, cause?: unknown) => CorpusError;

const utf8 = new TextDecoder('utf-8', { fatal: true }); // drops a byte order mark

const isBlankLine = (line: Buffer): boolean => !line.some((byte) => byte > 0x20);

function parseLine(line: Buffer, invalid: Invalid): Record<string, unknown> {
  let row: unknown;
  try {
    row = JSON.parse(utf8.decode(line));
  } catch (error) {
    const what = error instanceof SyntaxError ? 'JSON' : 'UTF-8';
    throw invalid(`is not ${what}; a corpus holds one JSON object a line`, error);
  }
  if (typeof row === 'object' && row !== null && !Array.isArray(row)) return row as Record<string, unknown>;
  throw invalid('is not a JSON object; a corpus holds one JSON object a line');
}

/** The row's text, '' when there is nothing in it to measure. */
function textOf(row: Record<string, unknown>, column: string, invalid: Invalid): string {
  const text = Object.hasOwn(row, column) ? row[column] : undefined;
  if (text === null) return '';
  if (typeof text === 'string') return isBlank(text) ? '' : text;
  if (text !== undefined)
    throw invalid(`has no text in column "${column}" but ${JSON.stringify(text).slice(0, 40)}`);
  const names = Object.keys(row).map((name) => `"${name}"`);
  throw invalid(`has no column "${column}"; it has ${names.join(', ') || 'no columns'}`);
}

/** Nothing but what Python's str.isspace takes for space: the published rule is str.strip, and U+FEFF counts as text there. */
// eslint-disable-next-line no-control-regex -- those four are space to Python only
const isBlank = (text: string): boolean => /^[\p{White_Space}\u001c-\u001f]*$/u.test(text);

/** The first characters, counted as code points so that no pair of surrogates is cut. */
function firstCharacters(text: string, count: number): string {
  if (text.length <= count) return text;
  return [...text.slice(0, 2 * count)].slice(0, count).join('');
}

function digestTokens(tokens: readonly number[][], positions: number, ragged: boolean): string {
  const rows = ragged ? tokens.map((row) => [row.length, ...row]) : tokens;
  const bytes = Buffer.alloc(4 * rows.reduce((length, row) => length + row.length, 2));
  let at = bytes.writeInt32LE(positions, bytes.writeInt32LE(tokens.length));
  for (const row of rows) for (const id of row) at = bytes.writeInt32LE(id, at);
  return sha256(bytes);
}
