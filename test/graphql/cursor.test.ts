import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openStore, type SortKey, type SortValue } from '../../src/db/index.ts';
import { decodeCursor, encodeCursor } from '../../schema/cursor.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { join } from 'node:path';

const scope = { key: createSecretKey(Buffer.alloc(32, 7)), list: '["runs",null,{}]' };
const real: SortValue[] = [
  { type: 'real', nullable: true },
  { type: 'integer', nullable: false },
  { type: 'string', nullable: true },
];

describe('a cursor', () => {
  it.each([0.7312, 5e-7, -0, 0.1 + 0.2, Number.MIN_VALUE, -Number.MAX_VALUE, Infinity, -Infinity, null])(
    'carries %s without a bit lost',
    (number) => {
      const key: SortKey = [number, 2 ** 53 - 1, 'two\nlines "and" 🎂'];
      const [read, ...rest] = decodeCursor(scope, encodeCursor(scope, key, real), real);
      expect(Object.is(read, number)).toBe(true);
      expect(rest).toEqual(key.slice(1));
    },
  );

  it('writes a real number as the 16 hex digits of its float64', () => {
    const body = Buffer.from(encodeCursor(scope, [1.5, 3, null], real), 'base64url').subarray(8);
    expect(body.toString()).toBe('["3ff8000000000000",3,null]');
  });

  const cursor = encodeCursor(scope, [1.5, 3, null], real);
  const refused = { extensions: { code: 'INVALID_CURSOR' } };

  it.each([
    ['list', { ...scope, list: '["organisms",null,{}]' }],
    ['filter', { ...scope, list: '["runs",null,{"methods":["x"]}]' }],
    ['store', { ...scope, key: createSecretKey(Buffer.alloc(32, 8)) }],
  ])('is refused by another %s', (_, other) => {
    expect(decodeCursor(scope, cursor, real)).toEqual([1.5, 3, null]);
    expect(() => decodeCursor(other, cursor, real)).toThrow(expect.objectContaining(refused));
  });

  // Signed with the right key: what a leaked key would let through is judged all the same.
  it.each<[string, SortKey]>([
    ['NaN', [NaN, 3, null]],
    ['a text where a real number goes', ['1.5', 3, null]],
    ['null where none can be', [1.5, null, null]],
    ['a fraction where a whole number goes', [1.5, 3.5, null]],
    ['a number where a text goes', [1.5, 3, 4]],
    ['too few values', [1.5, 3]],
    ['too many values', [1.5, 3, null, 4]],
  ])('is refused with %s in it', (_, key) => {
    expect(() => decodeCursor(scope, encodeCursor(scope, key, real), real)).toThrow(
      expect.objectContaining(refused),
    );
  });
});

it('a store keeps its key when it is closed and opened, and another store has another', () => {
  const file = join(temporaryFolder(), 'store.sqlite');
  const keyOf = (path: string, readonly = false): string => {
    const store = openStore(path, { readonly });
    const { cursorKey } = store;
    store.close();
    expect(cursorKey.symmetricKeySize).toBe(32);
    return cursorKey.export().toString('hex');
  };
  const key = keyOf(file);
  expect(keyOf(file)).toBe(key);
  expect(keyOf(file, true)).toBe(key);
  expect(keyOf(join(temporaryFolder(), 'store.sqlite'))).not.toBe(key);
});
