import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { SortKey, SortValue } from '../src/db/index.ts';
import { invalidCursor } from './errors.ts';

const version = 1;
const signatureBytes = 8;

/** The longest cursor that is looked at: a sort key is a few numbers and names. */
const mostCharacters = 4096;

/** What a cursor belongs to: the store's key, and the list with its parent, filter and order as text. */
export interface CursorScope {
  key: KeyObject;
  list: string;
}

/**
 * A place in one list, as opaque text: base64url of the signature and the sort key of the row there as JSON, in which a real number
 * is the 16 hex digits of its float64 bits. The signature, 8 bytes of HMAC-SHA256, covers version, list and sort key.
 */
export function encodeCursor(scope: CursorScope, key: SortKey, values: readonly SortValue[]): string {
  const written = key.map((value, i) =>
    values[i]?.type === 'real' && typeof value === 'number' ? toBits(value) : value,
  );
  const body = Buffer.from(JSON.stringify(written));
  return Buffer.concat([sign(scope, body), body]).toString('base64url');
}

/**
 * The sort key in a cursor of this list.
 * @throws INVALID_CURSOR for anything that encodeCursor does not write for it: another store, list, version or spelling
 */
export function decodeCursor(scope: CursorScope, cursor: string, values: readonly SortValue[]): SortKey {
  if (cursor.length > mostCharacters) throw invalidCursor();
  const bytes = Buffer.from(cursor, 'base64url');
  const body = bytes.subarray(signatureBytes);
  const signature = bytes.subarray(0, signatureBytes);
  if (signature.length < signatureBytes || !timingSafeEqual(signature, sign(scope, body)))
    throw invalidCursor();
  const key = read(body, values);
  if (!key || encodeCursor(scope, key, values) !== cursor) throw invalidCursor();
  return key;
}

const sign = ({ key, list }: CursorScope, body: Uint8Array): Buffer =>
  createHmac('sha256', key)
    .update(`${version}\n${list.length}\n${list}\n`)
    .update(body)
    .digest()
    .subarray(0, signatureBytes);

function toBits(value: number): string {
  const bits = Buffer.alloc(8);
  bits.writeDoubleBE(value);
  return bits.toString('hex');
}

/** The sort key that was signed; undefined where it is not of these types, as in a store whose key leaked. */
function read(body: Buffer, values: readonly SortValue[]): SortKey | undefined {
  let written: unknown;
  try {
    written = JSON.parse(body.toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(written) || written.length !== values.length) return undefined;
  const key = values.map(({ type, nullable }, i): string | number | null | undefined => {
    const value: unknown = written[i];
    if (value === null) return nullable ? null : undefined;
    if (type === 'integer') return Number.isSafeInteger(value) ? (value as number) : undefined;
    if (typeof value !== 'string') return undefined;
    if (type === 'string') return value;
    const number = /^[0-9a-f]{16}$/.test(value) ? Buffer.from(value, 'hex').readDoubleBE() : NaN;
    return Number.isNaN(number) ? undefined : number;
  });
  return key.includes(undefined) ? undefined : (key as SortKey);
}
