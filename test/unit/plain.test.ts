import { describe, expect, test } from 'vitest';
import { plain, plainJson } from '../../src/cli/plain.ts';
import { renderTokens, visible } from '../../src/cli/tokens-table.ts';

const hostile = [
  ['an escape sequence', '\u001b[31m', '\\u{1b}[31m'],
  ['a C1 control', '\u009b2J', '\\u{9b}2J'],
  ['line ends', 'a\r\nb', 'a\\u{d}\\u{a}b'],
  ['other line ends', '\u2028\u2029\u0085', '\\u{2028}\\u{2029}\\u{85}'],
  ['a text direction', '\u202eabc', '\\u{202e}abc'],
  ['what does not show', 'a\u200b\u00ad\u3164b\ufe0f', 'a\\u{200b}\\u{ad}\\u{3164}b\\u{fe0f}'],
  ['other spaces', 'a\u00a0\u3000b c', 'a\\u{a0}\\u{3000}b c'],
  ['tag characters', '\u{e0041}', '\\u{e0041}'],
  ['half a character', '\ud800', '\\u{d800}'],
] as const;

describe('plain', () => {
  test.each(hostile)('escapes %s', (_, text, shown) => {
    expect(plain(text)).toBe(shown);
  });

  test('leaves text alone', () => {
    for (const text of ['Kuchen für 450 °F', '蛋糕 ケーキ', 'عربي', '🎂', '‖x‖ − \\u{1b}'])
      expect(plain(text)).toBe(text);
  });
});

test('plainJson says the same as JSON', () => {
  const value = hostile.map(([, text]) => ({ [text]: [text, 1, null] }));
  for (const indent of [undefined, 2]) {
    const json = plainJson(value, indent);
    expect(JSON.parse(json)).toEqual(value);
    expect(plain(json.replaceAll('\n', ''))).toBe(json.replaceAll('\n', ''));
  }
});

test('a token shows its spaces, or its number when it has no text', () => {
  expect(visible(' cake', 5)).toBe('␣cake');
  expect(visible('\n\n\t', 5)).toBe('⏎⏎\\u{9}');
  expect(visible('', 5)).toBe('#5');
  expect(visible(null, 5)).toBe('#5');
  expect(visible('\ufffd', 5)).toBe('#5');
  expect(visible('\ufffd\ufffd', 5)).toBe('#5');
  expect(visible(' \ufffd', 5)).toBe('␣\ufffd');
  expect(visible('\u001b[0m', 5)).toBe('\\u{1b}[0m');
});

test('a table has one line a position', () => {
  const token = (text: string | null, probability: number | null) => ({ text, tokenId: 7, probability });
  const plain = { aboveNoise: null, scale: null };
  expect(
    renderTokens(
      [
        {
          ...plain,
          position: 0,
          norm: 12.3456,
          tokens: [token(' a', 0.5), token('b', 0.01), token(null, 0.0004)],
        },
        { ...plain, position: 1, norm: null, tokens: [token('c', null)] },
        { ...plain, position: 2, norm: 1e-9, tokens: [] },
      ],
      60,
    ),
  ).toMatchInlineSnapshot(`
    "┌─────┬──────────┬─────────────────────────────────────────┐
    │ pos │ ‖vector‖ │ tokens, most likely first (probability  │
    │     │          │ in %)                                   │
    ├─────┼──────────┼─────────────────────────────────────────┤
    │   0 │    12.35 │ ␣a 50.0  b 1.0  #7 0.04                 │
    │   1 │        ? │ c ?                                     │
    │   2 │ 1.000e-9 │                                         │
    └─────┴──────────┴─────────────────────────────────────────┘"
  `);
});

test('a table marks what is not above the noise, and shows scales where there are any', () => {
  const tokens = [{ text: 'a', tokenId: 1, probability: 0.5 }];
  expect(
    renderTokens(
      [
        { position: 0, norm: 1, aboveNoise: true, scale: 0.7, tokens },
        { position: 127, norm: 1, aboveNoise: false, scale: 200, tokens },
        { position: 3, norm: 1, aboveNoise: null, scale: null, tokens },
      ],
      60,
    ),
  ).toMatchInlineSnapshot(`
    "┌──────┬──────────┬───────┬────────────────────────────────────────┐
    │  pos │ ‖vector‖ │ scale │ tokens, most likely first (probability │
    │      │          │       │ in %)                                  │
    ├──────┼──────────┼───────┼────────────────────────────────────────┤
    │    0 │    1.000 │   0.7 │ a 50.0                                 │
    │ 127~ │    1.000 │   200 │ a 50.0                                 │
    │    3 │    1.000 │     – │ a 50.0                                 │
    └──────┴──────────┴───────┴────────────────────────────────────────┘"
  `);
});
