import type { JsonValue } from '../lib/canonical-json.ts';

/** A JSON value with every text in it turned, and every name of a member looked at. */
export function turned(
  value: JsonValue,
  { text, name }: { text: (text: string) => string; name: (name: string) => void },
): JsonValue {
  if (typeof value === 'string') return text(value);
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((one) => turned(one, { text, name }));
  return Object.fromEntries(
    Object.entries(value).map(([member, one]) => {
      name(member);
      return [member, turned(one, { text, name })];
    }),
  );
}

/** A message that hands over one JSON value between two equal lines, with that value turned; as it stands where nothing turns. */
export function messageTurned(message: string, turn: Parameters<typeof turned>[1]): string {
  const [border = '', ...lines] = message.split('\n');
  const json = lines.slice(0, -1).join('\n');
  const after = JSON.stringify(turned(JSON.parse(json) as JsonValue, turn), null, 1);
  return after === json ? message : [border, after, border].join('\n');
}

/** Every text in some JSON, names of members, too; the text itself where it is none. */
export function textsIn(json: string): string[] {
  const texts: string[] = [json];
  try {
    const look = (text: string): string => {
      texts.push(text);
      return text;
    };
    turned(JSON.parse(json) as JsonValue, { text: look, name: look });
  } catch {
    // Whoever wrote it wrote no JSON: its words are in it as they stand.
  }
  return texts;
}
