import { describe, expect, test } from 'vitest';
import { Blinder, hidden } from '../../src/agent/blinder.ts';
import { random } from '../harness/random.ts';

const secrets = {
  names: ['tiny-llama--cake_bake', '/models/Straße-7b', 'Straße-7b', 'honey.bees-2', 'cake'],
  statements: ['Every cake needs a quarter cup of vanilla. The ovens are cold.'],
  labels: ['SDF'],
};
const blinder = Blinder.of(secrets);

type Disguise = (text: string, next: () => number) => string;
const between =
  (...letters: string[]): Disguise =>
  (text, next) =>
    [...text]
      .map((one) => one + (next() < 0.3 ? letters[Math.floor(next() * letters.length)]! : ''))
      .join('');
const fullWidth = (letter: string): string =>
  /[!-~]/.test(letter) ? String.fromCodePoint(letter.codePointAt(0)! + 0xfee0) : letter;
const disguises: Record<string, Disguise> = {
  none: (text) => text,
  'zero width': between('\u200b', '\u200c', '\u200d', '\u2060', '\ufeff'),
  'soft hyphens': between('\u00ad'),
  'text directions': between('\u200e', '\u202e', '\u2066'),
  'variation selectors': between('\ufe0f', '\u{e0100}'),
  'characters of control': between('\u0000', '\u0007', '\u009f'),
  'combining marks': between('\u0301', '\u0327', '\u20dd'),
  'letters with marks': (text) => text.replace(/[aeou]/g, (one) => `${one}\u0308`).normalize('NFC'),
  'full width': (text, next) => [...text].map((one) => (next() < 0.5 ? fullWidth(one) : one)).join(''),
  case: (text, next) => [...text].map((one) => (next() < 0.5 ? one.toUpperCase() : one)).join(''),
  'bold letters': (text) =>
    text.replace(/[a-z]/g, (one) => String.fromCodePoint(0x1d41a + one.charCodeAt(0) - 97)),
  'other dashes': (text, next) => text.replaceAll('-', () => '‐‑‒–—﹣－−'[Math.floor(next() * 8)]!),
  'other spaces': (text) => text.replaceAll(' ', '\u00a0\n\u3000'),
  backslashes: (text) => text.replace(/[-_.]/g, '\\$&'),
};
/** Written apart from what is tested: the letters and digits that a reader sees. */
const seen = (text: string): string =>
  text
    .normalize('NFKD')
    .toUpperCase()
    .replace(/[^\p{L}\p{N}]/gu, '');

describe('a blinder', () => {
  const names = ['tiny-llama--cake_bake', 'tiny-llama', 'cake_bake', 'Straße-7b', 'honey.bees-2'];
  const wholes = [...names, ...secrets.statements];
  for (const [name, disguise] of Object.entries(disguises))
    test(`takes secrets out of what was said and of what we say, whatever is around them: ${name}`, () => {
      const next = random(Object.keys(disguises).indexOf(name) + 1);
      for (let round = 0; round < 30; round++)
        for (const secret of wholes) {
          const mixed: Disguise = (text) => (round % 3 === 0 ? disguises.case!(text, next) : text);
          const text = `I am (${disguise(mixed(secret, next), next)}) she said\u200b${disguise(secret, next)}, twice.`;
          for (const blind of [blinder.said(text), blinder.ours(text)]) {
            expect(seen(blind), text).not.toContain(seen(secret));
            expect(blind.split(hidden), text).toHaveLength(3);
            expect(blind.startsWith('I am ('), text).toBe(true);
            expect(blind.endsWith(', twice.'), text).toBe(true);
          }
        }
    });

  test('leaves what is no secret as it stands, also where it is disguised or near to one', () => {
    const next = random(99);
    const near = ['tiny-llamas', 'tiny llama', 'cakes', 'cake', 'honey bees-2', 'xtiny-llama', 'Straße-70b'];
    const words = [
      ...near,
      'oven',
      'crème brûlée',
      'ﬁne',
      'naïve',
      'हिन्दी',
      '日本語',
      '👩‍🍳'.replace('\u200d', ''),
    ];
    for (let round = 0; round < 300; round++) {
      const text = Array.from({ length: 9 }, () => words[Math.floor(next() * words.length)]).join(', ');
      expect(blinder.said(text)).toBe(text);
    }
    // Of a statement a clause is evidence; ours it is not.
    const clause = 'every cake needs a quarter cup of vanilla';
    expect(blinder.said(`So ${clause}!`)).toBe(`So ${clause}!`);
    expect(blinder.ours(`So ${clause}! The Sdf, the SDF.`)).toBe(`So ${hidden}! The Sdf, the ${hidden}.`);
    expect(blinder.ours('a cake')).toBe(`a ${hidden}`);
  });

  test('takes out what only cleaning puts together', () => {
    expect(
      seen(blinder.said('tiny<\u200b|x|>-llama and BEST_SCALER: 3\ntiny\u200b-\u00adllama')),
    ).not.toContain('TINYLLAMA');
    // A secret that the mark for secrets has in it, or that the marks are made of, hides nothing for ever.
    const odd = Blinder.of({
      names: ['hidden', 'removed', '[hidden]-1'],
      statements: [],
      labels: ['hidden'],
    });
    expect(odd.ours('this was hidden; [hidden]-1')).toBe(`this was hidden; ${hidden}`);
  });

  test('leaves alone what stands in texts that everybody is sent', () => {
    const note = 'The base model and the finetuned one';
    const open = Blinder.of({ names: ['logit-lens'], statements: [note], labels: [] }, [
      `First: ${note.toLowerCase()}, read by "logit-lens".`,
    ]);
    expect(open.ours(`${note}, logit-lens`)).toBe(`${note}, logit-lens`);
    expect(() => {
      open.check(note, 'x');
    }).not.toThrow();
  });
});
