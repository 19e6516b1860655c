import {
  createCipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';
import type { SortKey, SortValue } from '../src/db/index.ts';
import { invalidCursor } from './errors.ts';

const version = 2;
const sealBytes = 16;

/** The length of what is sealed is a multiple of this: it tells little of a name in it. */
const blockBytes = 16;

/** The longest cursor that is looked at: a sort key is a few numbers and names. */
const mostCharacters = 16_384;

/** What a cursor belongs to: the store's key, who reads, and the list with its parent, filter and order as text. */
export interface CursorScope {
  key: KeyObject;
  viewer: string;
  list: string;
}

/**
 * A place in one list as one viewer sees it, as opaque text: base64url of a seal and of the sort key of the row there as JSON,
 * encrypted, in which a real number is the 16 hex digits of its float64 bits. The seal, 16 bytes of HMAC-SHA256 over version, viewer,
 * list and sort key, is the initial counter of the AES-256-CTR, as in SIV: the same place is the same text, and equal texts are all
 * that shows.
 */
export function encodeCursor(scope: CursorScope, key: SortKey, values: readonly SortValue[]): string {
  const written = JSON.stringify(
    key.map((value, i) => (values[i]?.type === 'real' && typeof value === 'number' ? toBits(value) : value)),
  );
  const length = Buffer.byteLength(written);
  const body = Buffer.alloc(Math.ceil(length / blockBytes) * blockBytes, ' ');
  body.write(written);
  const keys = keysOf(scope.key);
  const seal = sealOf(keys, scope, body);
  return Buffer.concat([seal, crypt(keys, seal, body)]).toString('base64url');
}

/**
 * The sort key in a cursor of this list for this viewer.
 * @throws INVALID_CURSOR for anything that encodeCursor does not write for them: another store, viewer, list, version or spelling
 */
export function decodeCursor(scope: CursorScope, cursor: string, values: readonly SortValue[]): SortKey {
  if (cursor.length > mostCharacters) throw invalidCursor();
  const bytes = Buffer.from(cursor, 'base64url');
  if (bytes.length <= sealBytes) throw invalidCursor();
  const keys = keysOf(scope.key);
  const seal = bytes.subarray(0, sealBytes);
  const body = crypt(keys, seal, bytes.subarray(sealBytes));
  if (!timingSafeEqual(seal, sealOf(keys, scope, body))) throw invalidCursor();
  const key = read(body, values);
  if (!key || encodeCursor(scope, key, values) !== cursor) throw invalidCursor();
  return key;
}

interface Keys {
  seal: KeyObject;
  encrypt: KeyObject;
}

const derived = new WeakMap<KeyObject, Keys>();

/** One key for each use, from the one that the store has. */
function keysOf(key: KeyObject): Keys {
  let keys = derived.get(key);
  if (!keys) {
    const derive = (use: string) =>
      createSecretKey(Buffer.from(hkdfSync('sha256', key, '', `deltascope cursor ${use}`, 32)));
    derived.set(key, (keys = { seal: derive('seal'), encrypt: derive('encrypt') }));
  }
  return keys;
}

const sealOf = ({ seal }: Keys, { viewer, list }: CursorScope, body: Uint8Array): Buffer =>
  createHmac('sha256', seal)
    .update(`${version}\n${viewer}\n${list.length}\n${list}\n`)
    .update(body)
    .digest()
    .subarray(0, sealBytes);

/** Encrypts and, a second time, decrypts. */
const crypt = ({ encrypt }: Keys, seal: Uint8Array, body: Uint8Array): Buffer =>
  createCipheriv('aes-256-ctr', encrypt, seal).update(body);

function toBits(value: number): string {
  const bits = Buffer.alloc(8);
  bits.writeDoubleBE(value);
  return bits.toString('hex');
}

/** The sort key that was sealed; undefined where it is not of these types, as in a store whose key leaked. */
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
