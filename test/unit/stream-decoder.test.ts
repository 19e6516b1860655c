import { expect, test } from 'vitest';
import { streamDecoder } from '../../src/native/stream-decoder.ts';
import { openTokenizer } from '../../src/tokenizer/index.ts';
import { bundled } from '../harness/models.ts';

test('the pieces of a text make the text, and no piece ends in half a character', () => {
  const tokenizer = openTokenizer(bundled('tiny-qwen3'));
  const text = 'In the morning — 東京 and 🍰, naïve façade\n\tend';
  const ids = tokenizer.encode(text);
  expect(ids.length).toBeGreaterThan(text.split(' ').length); // characters are cut into bytes
  const stream = streamDecoder((some) => tokenizer.decode(some));
  const pieces = ids.map(stream);
  expect(pieces.join('')).toBe(text);
  expect(pieces).toContain('');
  expect(pieces.filter((piece) => piece.includes('\ufffd'))).toEqual([]);
});

test('what never becomes a character is given out all the same', () => {
  const stream = streamDecoder((ids) => '\ufffd'.repeat(ids.length));
  const pieces = Array.from({ length: 20 }, () => stream(7));
  expect(pieces.join('').length).toBeGreaterThanOrEqual(16);
});

test('a first token that loses its space alone keeps it within a text', () => {
  // As tokenizers do that strip the space before the first word.
  const words = [' a', ' b', ' c'];
  const stream = streamDecoder((ids) =>
    ids
      .map((id) => words[id])
      .join('')
      .trimStart(),
  );
  expect([0, 1, 2].map(stream)).toEqual(['a', ' b', ' c']);
});
