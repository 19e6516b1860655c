import type { JsonValue } from '../lib/canonical-json.ts';

/** What a model, a text or the agent said: evidence, which may say anything at all, even what the finetune is. */
export class Said {
  readonly text: string;
  /** The prompt that it answers, where the agent wrote that; OWN: the agent's own words, and what quotes them. */
  readonly to: { prompt: string } | 'OWN' | null;

  constructor(text: string, to: Said['to'] = null) {
    this.text = text;
    this.to = to;
  }
}

export const said = (text: string): Said => new Said(text);
/** What a model said to a prompt of the agent. */
export const answerTo = (prompt: string, text: string): Said => new Said(text, { prompt });
/** What the agent said itself, told to it again. */
export const own = (text: string): Said => new Said(text, 'OWN');

/** A text of which so many characters are shown, counted when it has been blinded: half a name, or half a statement, is a hint. */
export class Cut {
  readonly whole: Said | string;
  readonly characters: number;

  constructor(whole: Said | string, characters: number) {
    this.whole = whole;
    this.characters = characters;
  }
}

/** JSON that tells what was said from what we say. */
export type Material =
  null | boolean | number | string | Said | Cut | Material[] | { [name: string]: Material };

const cut = (text: string, most: number): string =>
  [...text].length > most ? `${[...text].slice(0, most).join('')}…` : text;

/** Turns both kinds of texts into JSON, names of members kept. */
export function toJson(
  material: Material,
  turn: { said: (said: Said) => string; ours: (text: string) => string },
): JsonValue {
  if (material instanceof Said) return turn.said(material);
  if (material instanceof Cut) return cut(toJson(material.whole, turn) as string, material.characters);
  if (typeof material === 'string') return turn.ours(material);
  if (material === null || typeof material !== 'object') return material;
  if (Array.isArray(material)) return material.map((one) => toJson(one, turn));
  return Object.fromEntries(Object.entries(material).map(([name, one]) => [name, toJson(one, turn)]));
}
