export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = Record<string, JsonValue>;

/**
 * One text per value: keys sorted by UTF-16 code unit, no spaces, numbers as JavaScript prints them, members that are undefined left out.
 * @param notFinite what stands for NaN and ±Infinity, where they are expected
 * @throws TypeError for these where they are not, since JSON would turn them into null without a word
 */
export function canonicalJson(value: JsonValue, { notFinite }: { notFinite?: null } = {}): string {
  let odd = false;
  const sorted = (value: JsonValue): JsonValue => {
    if (typeof value === 'number' && !Number.isFinite(value)) {
      if (notFinite === undefined) throw new TypeError(`${value} has no JSON form`);
      return notFinite;
    }
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map(sorted);
    const members: Record<string, JsonValue> = {};
    for (const key of inOrder(Object.keys(value))) {
      odd ||= hasPlaceOfItsOwn(key);
      members[key] = sorted(value[key] as JsonValue);
    }
    return members;
  };
  const ordered = sorted(value);
  // One native call, where the order that members were put in is the order that they come out in.
  return odd ? pieceByPiece(value) : JSON.stringify(ordered);
}

/** Sorted, which most are already. */
const inOrder = (keys: string[]): string[] =>
  keys.every((key, i) => i === 0 || (keys[i - 1] as string) < key) ? keys : keys.sort();

/** Of keys that an object does not keep where they were put: whole numbers come first, and the other is no member at all. */
function hasPlaceOfItsOwn(key: string): boolean {
  const first = key.charCodeAt(0);
  return (first >= 0x30 && first <= 0x39) || key === '__proto__';
}

function pieceByPiece(value: JsonValue): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(pieceByPiece).join(',')}]`;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${pieceByPiece(member)}`).join(',')}}`;
}
