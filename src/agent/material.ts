import type { JsonValue } from '../lib/canonical-json.ts';

/** What a model or the agent said: evidence, which may say anything at all, even what the finetune is. */
export class Said {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export const said = (text: string): Said => new Said(text);

/** JSON that tells what was said from what we say. */
export type Material = null | boolean | number | string | Said | Material[] | { [name: string]: Material };

/** Turns both kinds of texts into JSON, names of members kept. */
export function toJson(
  material: Material,
  turn: { said: (text: string) => string; ours: (text: string) => string },
): JsonValue {
  if (material instanceof Said) return turn.said(material.text);
  if (typeof material === 'string') return turn.ours(material);
  if (material === null || typeof material !== 'object') return material;
  if (Array.isArray(material)) return material.map((one) => toJson(one, turn));
  return Object.fromEntries(Object.entries(material).map(([name, one]) => [name, toJson(one, turn)]));
}
